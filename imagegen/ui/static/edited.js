// An edit: the newest step while it runs, then every step to scrub through, and the picture before and after.
const { t, spread, node, picture, compare, chart, copy, save, onLanguage, setLink } = window.imagegen;
const { code } = props;
const SIDE = 256;
const THUMB = 64;
const canvases = [0, 1, 2].map(() => node("canvas", {}));
const slider = node("input", { type: "range", min: 1, max: 1, value: 1, step: 1 });
const copyButton = node("button", { type: "button", onclick: () => copy(code, copyButton) });
const listing = node("div", { class: "code" }, copyButton, node("pre", {}, node("code", {}, code)));
let value = null;
let size = null; // [width, height] of each picture in a frame
let edge = null; // of the mask
let at = 0; // step that is shown, from 0
let handle = 50;

// A line around the mask, for each pixel of it that has a neighbour outside.
async function outline(url, [width, height]) {
  if (!url) return null;
  const sheet = node("canvas", { width, height });
  const context = sheet.getContext("2d", { willReadFrequently: true });
  context.drawImage(await picture(url), 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && data[4 * (width * y + x)] > 127;
  const step = SIDE / Math.max(width, height);
  const path = new Path2D();
  for (let y = 0; y <= height; y += 1) for (let x = 0; x <= width; x += 1) {
    if (inside(x, y) !== inside(x - 1, y)) { path.moveTo(step * x, step * y); path.lineTo(step * x, step * (y + 1)); }
    if (inside(x, y) !== inside(x, y - 1)) { path.moveTo(step * x, step * y); path.lineTo(step * (x + 1), step * y); }
  }
  return path;
}

async function paint() {
  const [shown, step] = [value, at];
  const frame = await picture(value.frames[at]);
  if (shown !== value || step !== at) return; // a newer one has come meanwhile
  const [width, height] = size;
  canvases.slice(0, value.panels.length).forEach((canvas, i) => {
    resize(canvas, SIDE);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(frame, i * width, 0, width, height, 0, 0, canvas.width, canvas.height);
    if (!edge) return;
    context.lineWidth = 1.5;
    context.strokeStyle = "rgba(255, 92, 138, .9)";
    context.stroke(edge);
  });
}

// As long as `longer` on its longer side, and empty.
function resize(canvas, longer) {
  const [width, height] = size.map((side) => Math.max(1, Math.round(side * longer / Math.max(...size))));
  Object.assign(canvas, { width, height });
  canvas.style.aspectRatio = `${width} / ${height}`;
}

function panels() {
  return node("div", { class: `panels ${["one", "two", ""][value.panels.length - 1]}` }, ...value.panels.map((name, i) =>
    node("figure", {}, canvases[i], node("figcaption", {}, node("b", {}, t(name)), " ", t(`${name}.text`)))));
}

function about() {
  if (!value.after) return node("span", { class: "hint" }, t("denoise.running", { n: value.index, total: value.total }));
  const n = value.frames.length < value.total ? value.total : at + 1; // the steps are not there yet
  return node("span", { class: "hint" }, t("painting.step", { n, total: value.total, seconds: value.seconds.toFixed(2) }));
}

function result() {
  const words = [t("compare.before"), t("compare.after")];
  const images = [value.before, value.after].map((src, i) => node("img", { src, alt: words[i] }));
  const made = compare(...images, words);
  made.style.setProperty("--ratio", size[0] / size[1]);
  const place = made.querySelector("input");
  place.addEventListener("input", () => { handle = place.value; });
  place.value = handle;
  place.dispatchEvent(new Event("input"));
  return node("div", { class: "result" }, made, node("div", { class: "buttons" },
    node("button", { type: "button", onclick: () => trigger("select") }, t("take")),
    node("button", { type: "button", onclick: () => save(value.after, "picture.png") }, t("download"))));
}

function numbers() {
  const [inside, outside] = value.changed[at].map((each) => each.toFixed(3));
  const [negative, asked, apart] = value.norms[at].map((each) => each.toFixed(3));
  const left = value.alphas[0];
  const words = t("painting.words");
  const said = (...parts) => node("div", { class: "formula" }, ...parts);
  return node("div", { class: "numbers" },
    node("p", { class: "hint" }, t("edited.start", { t: value.timesteps[0] })),
    said(node("b", {}, `x_t = ${Math.sqrt(left).toFixed(3)} · x0 + ${Math.sqrt(1 - left).toFixed(3)} · ε`)),
    node("p", { class: "hint" }, t("painting.formula")),
    said(node("span", {}, `t = ${value.timesteps[at]}`), node("b", {}, `v = v(∅) + ${value.guidance} · (v(${words}) − v(∅))`),
      node("span", {}, `‖v(∅)‖ = ${negative}`), node("span", {}, `‖v(${words})‖ = ${asked}`),
      node("span", {}, `‖v(${words}) − v(∅)‖ = ${apart}`)),
    ...(value.mask ? [node("p", { class: "hint" }, t("edited.formula")),
      said(node("b", {}, "x̂0 = m · x̂0 + (1 − m) · x0"), node("span", {}, t("edited.inside", { x: inside })),
        node("span", {}, t("edited.outside", { x: outside })))] : []));
}

function curves() {
  if (value.total < 2) return "";
  const names = value.mask ? [t("edited.curve.inside"), t("edited.curve.outside")] : [t("edited.curve.whole")];
  const series = names.map((name, i) => ({ name, points: value.changed.map((pair, step) => [step + 1, pair[i]]) }));
  return node("div", { class: "charts" }, chart(t("edited.changed"), series, { xs: [1, value.total], cursor: at + 1 }));
}

// Some of the steps, to go to by clicking.
function chosen() {
  return spread(value.frames.length - 1);
}

function strip() {
  return node("div", { class: "strip" }, ...chosen().map((step) => node("button", { type: "button", title: t("denoise.strip", { n: step + 1 }),
    "aria-label": t("denoise.strip", { n: step + 1 }), onclick: () => go(step) }, node("canvas", { class: "smooth" }))));
}

async function fill() {
  const shown = value;
  const images = await Promise.all(chosen().map((step) => picture(value.frames[step])));
  if (shown !== value) return;
  const [width, height] = size;
  element.querySelectorAll(".strip canvas").forEach((canvas, i) => {
    resize(canvas, THUMB);
    canvas.getContext("2d").drawImage(images[i], images[i].width - width, 0, width, height, 0, 0, canvas.width, canvas.height);
  });
}

function show() {
  const root = element.querySelector(".edited");
  copyButton.textContent = t("copy.code");
  slider.setAttribute("aria-label", t("denoise.scrub"));
  if (!value) return root.replaceChildren(node("p", { class: "hint" }, t("edited.empty")));
  const open = root.querySelector("details")?.open;
  [slider.max, slider.value] = [value.frames.length, at + 1];
  const done = Boolean(value.after);
  const scrub = value.frames.length > 1 ? node("div", { class: "scrub" }, strip(), slider) : "";
  root.replaceChildren(
    node("div", { class: done ? "outcome" : "" }, ...(done ? [result()] : []),
      node("div", { class: "steps" }, panels(),
        done ? scrub
          : node("progress", { max: value.total, value: value.index, "aria-label": t("denoise.progress") }), about())),
    done && value.norms.length ? node("details", { class: "happened", ...(open ? { open: "" } : {}) }, node("summary", {}, t("story.title")),
      numbers(), curves(), listing) : "");
  root.dataset.drawn = String(value.index);
  root.dataset.done = String(done);
  if (done) fill();
  paint();
}

function go(step) {
  at = step;
  slider.value = step + 1;
  const root = element.querySelector(".edited");
  root.querySelector(".numbers")?.replaceWith(numbers());
  root.querySelector(".charts")?.replaceWith(curves());
  root.querySelector(".steps > .hint").replaceWith(about());
  paint();
}

slider.addEventListener("input", () => go(Number(slider.value) - 1));

async function draw() {
  const fresh = props.value;
  if (!fresh?.frames) return;
  const frame = await picture(fresh.frames.at(-1));
  const each = [Math.round(frame.width / fresh.panels.length), frame.height];
  const path = await outline(fresh.mask, each);
  if (fresh !== props.value) return; // a newer one has come meanwhile
  [value, size, edge, at] = [fresh, each, path, fresh.frames.length - 1];
  if (value.after) setLink(element, value.link, true);
  show();
}

watch("value", draw);
onLanguage(show);
show();
