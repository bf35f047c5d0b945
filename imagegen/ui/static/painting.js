// A prompt becomes a picture: what is seen at each step, and how much each place of it looks at each word.
const { t, spread, node, picture, copy, save, onLanguage, onSeen, setLink } = window.imagegen;
const { code } = props;
const GLOW = [255, 176, 46];
const large = node("canvas", { width: 256, height: 256 });
const slider = node("input", { type: "range", min: 1, max: 1, value: 1, step: 1 });
const copyButton = node("button", { type: "button", onclick: () => copy(code, copyButton) });
const listing = node("div", { class: "code" }, copyButton, node("pre", {}, node("code", {}, code)));
let value = null;
let film = null;
let heat = null; // one byte for each step, word and place
let at = 0; // step that is shown, from 0
let word = null; // whose attention lies over the picture

// The attention of one word at one step, as light that lies over a picture.
function glow(step, chosen) {
  const cells = film.side * film.side;
  const image = new ImageData(film.side, film.side);
  const from = (step * film.words.length + chosen) * cells;
  for (let i = 0; i < cells; i += 1) image.data.set([...GLOW, 230 * (heat[from + i] / 255) ** 1.5], 4 * i);
  const canvas = node("canvas", { width: film.side, height: film.side });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function lay(canvas, frame, step, chosen) {
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.globalAlpha = 1;
  context.drawImage(frame, 0, 0, canvas.width, canvas.height);
  if (chosen === null) return;
  context.fillStyle = "rgba(16, 18, 24, .45)"; // dimmed, so that the light is seen
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(glow(step, chosen), 0, 0, canvas.width, canvas.height);
}

// Width and height to show a picture in: its own shape, a small one enlarged.
function larger({ width, height }) {
  const scale = Math.max(1, 256 / Math.max(width, height));
  return [Math.round(width * scale), Math.round(height * scale)];
}

async function paint() {
  const [shown, step, of] = [film, at, value];
  const from = film ? (at < film.frames.length - 1 ? film.frames[at] : value.pictures[film.which]) : value.pictures[0];
  if (!from) return large.getContext("2d").clearRect(0, 0, large.width, large.height); // nothing to see yet
  const frame = await picture(from);
  if (shown !== film || step !== at || of !== value) return; // a newer one has come meanwhile
  [large.width, large.height] = larger(frame);
  lay(large, frame, at, film ? word : null);
  if (!film) return;
  element.querySelectorAll(".heats canvas").forEach((canvas, i) => lay(canvas, frame, at, i));
  element.querySelectorAll(".heats small").forEach((share, i) => { share.textContent = percent(film.shares[at][i]); });
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function choose(i) {
  word = word === i ? null : i;
  element.querySelectorAll(".heats button").forEach((button, j) => button.setAttribute("aria-pressed", String(j === word)));
  element.querySelector(".large figcaption").replaceWith(caption());
  paint();
}

function heats() {
  if (!film?.words.length) return "";
  return node("div", { class: "attention" }, node("p", { class: "hint" }, t("painting.heats")),
    node("div", { class: "heats" }, ...film.words.map((text, i) =>
      node("button", { type: "button", "aria-pressed": String(i === word), title: t("painting.heat", { word: text }), onclick: () => choose(i) },
        node("canvas", { width: 96, height: 96 }), node("span", {}, text), node("small", {}, "")))));
}

// Some of the pictures that the network saw on the way, to go to a step by clicking.
async function strip() {
  const root = node("div", { class: "strip" });
  const [shown, last] = [film, film.frames.length - 1];
  const chosen = spread(last);
  for (const step of chosen) {
    const canvas = node("canvas", { width: 64, height: 64, class: "smooth" });
    canvas.getContext("2d").drawImage(await picture(shown.frames[step]), 0, 0, 64, 64);
    root.append(node("button", { type: "button", title: t("denoise.strip", { n: step + 1 }),
      "aria-label": t("denoise.strip", { n: step + 1 }), onclick: () => go(step) }, canvas));
  }
  if (shown === film) element.querySelector(".strip")?.replaceWith(root);
}

// Whether the network's two looks at a step were watched, as they are where the code below ran.
const watched = () => Boolean(film?.norms[at]?.length);

function formula() {
  const [negative, asked, apart] = film.norms[at].map((norm) => norm.toFixed(3));
  return node("div", { class: "formula" }, node("span", {}, `t = ${film.timesteps[at]}`),
    node("b", {}, `v = v(∅) + ${film.guidance} · (v(${t("painting.words")}) − v(∅))`),
    node("span", {}, `‖v(∅)‖ = ${negative}`), node("span", {}, `‖v(${t("painting.words")})‖ = ${asked}`),
    node("span", {}, `‖v(${t("painting.words")}) − v(∅)‖ = ${apart}`));
}

function caption() {
  return node("figcaption", {}, word === null || !film ? t("painting.seen") : t("painting.heat", { word: film.words[word] }));
}

function about() {
  if (!film) return node("span", { class: "hint" }, value.index ? t("denoise.running", { n: value.index, total: value.total }) : t("painting.waiting"));
  if (!film.frames.length) return node("span", { class: "hint" }, t("painting.done", { seconds: value.seconds.toFixed(2) }));
  return node("span", { class: "hint" }, t("painting.step", { n: at + 1, total: film.frames.length, seconds: value.seconds.toFixed(2) }));
}

function sheet() {
  if (value.pictures.length < 2) return "";
  return node("div", { class: "several" }, ...value.pictures.map((png, i) =>
    node("button", { type: "button", "aria-pressed": String(film?.which === i), "aria-label": t("painting.picture", { n: i + 1 }),
      disabled: !film, onclick: () => look(i) }, node("img", { src: png, alt: "" }))));
}

// At another of the pictures, which is painted once more where there are steps to see.
function look(i) {
  if (film.frames.length) return trigger("input", { index: i, link: value.links[0] });
  value = { ...value, film: { ...film, which: i } };
  take();
  show();
}

function buttons() {
  if (!film) return "";
  const which = film.which;
  return node("div", { class: "buttons" },
    node("button", { type: "button", onclick: () => trigger("select", { index: which }) }, t("take")),
    node("button", { type: "button", onclick: () => save(value.pictures[which], "picture.png") }, t("download")));
}

// What the model could not make anything of, in place of silence.
function notes() {
  const said = value.unknown.map(([strange, near]) => node("p", { class: "note" },
    near.length ? t("painting.unknown.near", { word: strange, near: near.join(t("painting.or")) }) : t("painting.unknown", { word: strange })));
  if (value.negations.length) said.push(node("p", { class: "note" }, t("painting.negations", { words: value.negations.join(t("painting.or")) })));
  if (value.cut) said.push(node("p", { class: "note" }, t("painting.cut", { text: value.cut })));
  return said;
}

function tokens() {
  return node("div", { class: "tokens" }, ...value.tokens.map(([id, text, of]) =>
    node("span", { class: of === null ? "" : of % 2 ? "odd" : "even" }, text, node("small", {}, String(id)))));
}

function show() {
  const root = element.querySelector(".painting");
  copyButton.textContent = t("copy.code");
  slider.setAttribute("aria-label", t("denoise.scrub"));
  if (!value) {
    root.replaceChildren(node("p", { class: "hint" }, t("painting.empty")));
    return;
  }
  const open = root.querySelector("details")?.open;
  if (film) [slider.max, slider.value] = [film.frames.length, at + 1];
  root.replaceChildren(
    node("div", { class: "easel" },
      node("figure", { class: "large" }, large, film && !film.frames.length ? "" : caption()),
      node("div", { class: "beside" }, sheet(), ...notes(), heats(), about(), buttons())),
    film?.frames.length ? node("div", { class: "scrub" }, node("div", { class: "strip" }), slider)
      : film ? "" : node("progress", { max: value.total, ...(value.index ? { value: value.index } : {}), "aria-label": t("denoise.progress") }),
    film && value.tokens.length ? node("details", { class: "happened", ...(open ? { open: "" } : {}) }, node("summary", {}, t("story.title")),
      node("p", { class: "hint" }, t("painting.tokens", { n: value.tokens.length })), tokens(),
      ...(watched() ? [node("p", { class: "hint" }, t("painting.formula")), formula(), listing] : [])) : "");
  root.dataset.drawn = String(value.index);
  root.dataset.done = String(Boolean(film));
  if (film?.frames.length) strip();
  paint();
}

function go(step) {
  at = step;
  slider.value = step + 1;
  if (watched()) element.querySelector(".painting .formula").replaceWith(formula());
  element.querySelector(".painting .beside > .hint").replaceWith(about());
  paint();
}

slider.addEventListener("input", () => go(Number(slider.value) - 1));

function draw() {
  const fresh = props.value;
  if (!fresh?.pictures && !(fresh?.film && value?.links)) return; // a film of pictures that are no longer here
  value = fresh.pictures ? fresh : { ...value, film: fresh.film }; // or the film of another of the pictures
  film = value.film ?? null;
  if (film) take();
  show();
}

function take() {
  film = value.film;
  heat = Uint8Array.from(atob(film.heat), (letter) => letter.charCodeAt(0));
  at = Math.max(0, film.frames.length - 1);
  if (word !== null && word >= film.words.length) word = null;
  setLink(element, film.again ? value.links[film.which] : undefined);
}

// The first visit needs no click: the run starts by the page's own button, with whatever its controls say.
onSeen(element.querySelector(".painting"), () => {
  if (!value) setTimeout(() => document.querySelector("#words-run")?.click(), 50);
});

watch("value", draw);
onLanguage(show);
show();
