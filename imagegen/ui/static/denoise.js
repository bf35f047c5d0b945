// From noise to a picture: the newest step while it runs, then every step to scrub through, with the curves at its t.
const { t, spread, node, picture, chart, copy, save, onLanguage, onSeen, setLink } = window.imagegen;
const { still, code } = props;
const PANELS = ["x_t", "noise", "x0"];
const canvases = PANELS.map(() => node("canvas", { width: 64, height: 64 }));
const slider = node("input", { type: "range", min: 1, max: 1, value: 1, step: 1 });
const copyButton = node("button", { type: "button", onclick: () => copy(code, copyButton) });
const listing = node("div", { class: "code" }, copyButton, node("pre", {}, node("code", {}, code)));
let value = null;
let at = 0; // step that is shown, from 0

function panels() {
  return node("div", { class: "panels" }, ...PANELS.map((name, i) =>
    node("figure", {}, canvases[i], node("figcaption", {}, node("b", {}, t(`denoise.${name}`)), " ", t(`denoise.${name}.text`)))));
}

async function paint() {
  if (!value) return;
  const [shown, step] = [value, at];
  const frame = await picture(value.frames[step]);
  if (shown !== value || step !== at) return; // a newer one has come meanwhile
  const side = frame.height;
  canvases.forEach((canvas, i) => {
    canvas.width = canvas.height = side;
    canvas.getContext("2d").drawImage(frame, i * side, 0, side, side, 0, 0, side, side);
    canvas.classList.toggle("smooth", i === 2 && side > 28);
  });
}

// Some of the pictures that the network saw on the way, to go to a step by clicking.
async function strip() {
  const root = node("div", { class: "strip" });
  const [shown, last] = [value, value.frames.length - 1];
  const chosen = spread(last);
  for (const step of chosen) {
    const frame = await picture(shown.frames[step]);
    const side = frame.height;
    const canvas = node("canvas", { width: side, height: side, class: side > 28 ? "smooth" : "" });
    canvas.getContext("2d").drawImage(frame, 2 * side, 0, side, side, 0, 0, side, side);
    root.append(node("button", { type: "button", title: t("denoise.strip", { n: step + 1 }),
      "aria-label": t("denoise.strip", { n: step + 1 }), onclick: () => { go(step); ask(step); } }, canvas));
  }
  if (shown === value) element.querySelector(".strip")?.replaceWith(root);
}

function numbers(timestep) {
  const left = still.alphas[timestep];
  const [signal, noise] = [Math.sqrt(left), Math.sqrt(1 - left)];
  return node("div", { class: "formula" },
    node("span", {}, `t = ${timestep}`), node("span", {}, `ᾱ = ${left.toPrecision(3)}`),
    node("b", {}, `x_t = ${signal.toFixed(3)} · x0 + ${noise.toFixed(3)} · ε`));
}

function curves(timestep) {
  const alphas = still.alphas.filter((_, i) => i % 9 === 0).map((left, i) => [i * 9, left]);
  const losses = (still.loss[value.model] ?? []).map(([from, to, loss]) => [(from + to) / 2, loss]);
  return node("div", { class: "charts" },
    chart(t("denoise.alpha"), [{ name: "ᾱ", points: alphas }], { cursor: timestep }),
    losses.length ? chart(t("denoise.loss"), [{ name: "loss", points: losses }], { cursor: timestep }) : "");
}

function about() {
  const done = value.picture;
  if (!done) return node("span", { class: "hint" }, t("denoise.running", { n: value.index, total: value.total }));
  return node("span", { class: "hint" },
    t("denoise.done", { n: at + 1, total: value.total, calls: value.calls, seconds: value.seconds.toFixed(2) }));
}

function buttons() {
  if (!value.picture) return "";
  return node("div", { class: "buttons" },
    node("button", { type: "button", onclick: () => trigger("select") }, t("take")),
    node("button", { type: "button", onclick: () => save(value.picture, "picture.png") }, t("download")),
    node("button", { type: "button", onclick: () => save(value.animation, "denoising.webp") }, t("denoise.film")));
}

function show() {
  const root = element.querySelector(".denoise");
  copyButton.textContent = t("copy.code");
  slider.setAttribute("aria-label", t("denoise.scrub"));
  if (!value) {
    root.replaceChildren(panels(), node("p", { class: "hint" }, t("denoise.empty")));
    return;
  }
  const timestep = value.timesteps[at];
  slider.max = value.frames.length;
  slider.value = at + 1;
  const details = root.querySelector("details") ?? node("details", {}, node("summary", {}), listing);
  details.querySelector("summary").textContent = t("denoise.code");
  root.replaceChildren(panels(),
    value.picture ? node("div", { class: "scrub" }, node("div", { class: "strip" }), slider) : node("progress", { max: value.total, value: value.index, "aria-label": t("denoise.progress") }),
    node("div", { class: "row" }, about(), buttons()), numbers(timestep), curves(timestep), details);
  root.dataset.drawn = String(value.index);
  root.dataset.done = String(Boolean(value.picture));
  if (value.picture) strip();
}

function go(step) {
  at = step;
  slider.value = step + 1;
  paint();
  const root = element.querySelector(".denoise");
  root.querySelector(".formula").replaceWith(numbers(value.timesteps[at]));
  root.querySelector(".charts").replaceWith(curves(value.timesteps[at]));
  root.querySelector(".row .hint").replaceWith(about());
}

slider.addEventListener("input", () => go(Number(slider.value) - 1));
slider.addEventListener("change", () => ask(at));

// What would have been seen at this step, had something else been asked for?
function ask(step) {
  trigger("input", { index: step + 1, link: value.link });
}

function draw() {
  if (!props.value?.frames) return;
  value = props.value;
  at = value.frames.length - 1;
  show();
  paint();
  if (!value.picture) return;
  setLink(element, value.link);
  ask(Math.floor((value.frames.length - 1) / 3)); // early enough that another label still makes another picture
}

// The first visit needs no click: the run starts by the page's own button, with whatever its controls say.
onSeen(element.querySelector(".denoise"), () => {
  if (!value) setTimeout(() => document.querySelector("#diff-run")?.click(), 50);
});

watch("value", draw);
onLanguage(show);
show();
