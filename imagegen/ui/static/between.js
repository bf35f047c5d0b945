// From one picture to another, through the code above and pixel by pixel below: one frame large, and the whole way.
const { t, spread, node, picture, save, onLanguage, onSeen } = window.imagegen;
const ROWS = [["between.code", "between.code.text"], ["between.pixels", "between.pixels.text"]];
const canvases = ROWS.map(() => node("canvas", { width: 28, height: 28 }));
const slider = node("input", { type: "range", min: 1, max: 1, value: 1, step: 1 });
let value = null;
let sheet = null; // of all frames, once the way is done
let at = 0;

const caption = (seed) => (seed === null ? t("between.mine") : t("between.seed", { seed }));
const smooth = (side) => (side > 28 ? "smooth" : "");

function large(sources) {
  return node("div", { class: "panels two" }, ...ROWS.map(([name, text], i) => node("figure", {}, sources[i],
    node("figcaption", {}, node("b", {}, t(name)), " ", t(text)))));
}

function thumbnail(row, frame, side) {
  const canvas = node("canvas", { width: side, height: side, class: smooth(side) });
  canvas.getContext("2d").drawImage(sheet, frame * side, row * side, side, side, 0, 0, side, side);
  const title = t("between.frame", { n: frame + 1 });
  return node("button", { type: "button", title, "aria-label": `${t(ROWS[row][0])}: ${title}`, onclick: () => go(frame) }, canvas);
}

function strips() {
  const chosen = spread(value.total - 1);
  return node("div", { class: "strips" }, ...ROWS.map((_, row) =>
    node("div", { class: "strip" }, ...chosen.map((frame) => thumbnail(row, frame, value.side)))));
}

function go(frame) {
  at = frame;
  slider.value = frame + 1;
  canvases.forEach((canvas, row) => {
    canvas.width = canvas.height = value.side;
    canvas.className = smooth(value.side);
    canvas.getContext("2d").drawImage(sheet, at * value.side, row * value.side, value.side, value.side, 0, 0, value.side, value.side);
  });
  const said = element.querySelector(".between .row .hint");
  if (said) said.textContent = t("between.at", { n: at + 1, total: value.total });
  element.querySelector(".between").dataset.at = String(at + 1);
}

function begin() {
  const figure = (url, i) => node("figure", {}, node("img", { src: url, class: smooth(value.side), alt: caption(value.captions[i]) }), node("figcaption", {}, caption(value.captions[i])));
  const [first, last] = value.ends.map(figure);
  return [node("div", { class: "through ends" }, first, node("span", { class: "arrow", "aria-hidden": "true" }, "→"), last),
    node("p", { class: "hint" }, t("between.hint"))];
}

function running() {
  const frames = [value.frame, value.blend].map((url, i) => node("img", { src: url, class: smooth(value.side), alt: t(ROWS[i][0]) }));
  return [large(frames), node("progress", { max: value.total, value: value.index, "aria-label": t("between.progress") })];
}

function finished() {
  slider.max = value.total;
  slider.setAttribute("aria-label", t("between.scrub"));
  const about = node("div", { class: "row" }, node("span", { class: "hint" }),
    node("div", { class: "buttons" }, node("button", { type: "button", onclick: () => save(value.animation, "way.webp") }, t("between.film"))));
  return [large(canvases), strips(), slider, about];
}

function draw() {
  const root = element.querySelector(".between");
  root.dataset.done = String(Boolean(sheet));
  if (!value) return root.replaceChildren(node("p", { class: "hint" }, t("between.hint")));
  root.replaceChildren(...(sheet ? finished() : value.ends ? begin() : running()));
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
  if (sheet) go(at);
}

async function receive() {
  const shown = value = props.value;
  const loaded = shown?.sheet ? await picture(shown.sheet) : null;
  if (shown !== value) return; // a newer one has come meanwhile
  sheet = loaded;
  at = sheet ? Math.floor((value.total - 1) / 2) : 0; // the middle, where the two ways differ most
  draw();
}

slider.addEventListener("input", () => go(Number(slider.value) - 1));
onSeen(element, () => trigger("focus"));
watch("value", receive);
onLanguage(draw);
receive();
