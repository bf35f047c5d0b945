// Bicubic interpolation and both networks side by side, under one loupe that follows the pointer on all of them.
const { t, ARROWS, node, onLanguage } = window.imagegen;
const { there } = props;
const WAYS = ["bicubic", "sr-x4", "srgan-x4"];
const SHOWN = 640; // pixels of a panel's longer side, at most
const SEEN = 44; // pixels across that the loupe shows
let panels = [];
let spot = null; // where the loupe is, as shares of width and height

function panel(name, { sheets, size }) {
  const scale = Math.min(1, SHOWN / Math.max(...size));
  const canvas = node("canvas", { width: Math.max(1, Math.round(scale * size[0])), height: Math.max(1, Math.round(scale * size[1])), tabindex: 0 });
  const lens = node("canvas", { width: SEEN, height: SEEN, class: "lens", hidden: true });
  const caption = node("figcaption");
  canvas.addEventListener("pointermove", (event) => look(at(event, canvas)));
  canvas.addEventListener("pointerdown", (event) => look(at(event, canvas)));
  canvas.addEventListener("pointerleave", away);
  canvas.addEventListener("pointercancel", away);
  canvas.addEventListener("blur", away);
  canvas.addEventListener("keydown", step);
  return { name, canvas, lens, caption, sheet: sheets[name], figure: node("figure", {}, node("div", { class: "ground" }, canvas, lens), caption) };
}

function at(event, canvas) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((x) => Math.min(1, Math.max(0, x)));
}

// What lies there, magnified, on every panel alike.
function look(place) {
  spot = place;
  const [x, y] = place;
  for (const { lens, sheet } of panels) {
    const pen = lens.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.fillRect(0, 0, SEEN, SEEN);
    pen.drawImage(sheet, Math.round(SEEN / 2 - x * sheet.width), Math.round(SEEN / 2 - y * sheet.height));
    lens.style.left = `${100 * x}%`;
    lens.style.top = `${100 * y}%`;
    lens.classList.toggle("leftwards", x > 0.5);
    lens.classList.toggle("downwards", y < 0.5);
    lens.hidden = false;
  }
  element.querySelector(".ways").dataset.spot = place.map((share) => share.toFixed(3)).join(" ");
}

function away() {
  for (const { lens } of panels) lens.hidden = true;
}

function step(event) {
  const moves = ARROWS[event.key];
  if (!moves) return;
  event.preventDefault();
  look((spot ?? [0.5, 0.5]).map((share, axis) => Math.min(1, Math.max(0, share + 0.02 * moves[axis]))));
}

// A way that is not there says why.
function missing(name) {
  const words = there.includes(name) ? "ways.real" : "enlarge.mix.missing";
  return node("figure", { class: "missing" }, node("p", { class: "hint" }, t(words)), node("figcaption", {}, node("b", {}, t(`sr.way.${name}`))));
}

function draw() {
  const root = element.querySelector(".ways");
  const value = window.imagegen.enlarged;
  if (!value) return root.replaceChildren(node("p", { class: "hint" }, t("ways.empty")));
  const wanted = value.names.includes("sr-x4-real") ? ["bicubic", "sr-x4-real", "srgan-x4"] : WAYS;
  const names = value.sheets.truth ? [...wanted, "truth"] : wanted;
  panels = names.filter((name) => value.sheets[name]).map((name) => panel(name, value));
  root.replaceChildren(
    node("div", { class: "row-of", style: `--columns:${names.length}` },
      ...names.map((name) => panels.find((each) => each.name === name)?.figure ?? missing(name))),
    node("p", { class: "hint" }, t("ways.text")));
  for (const { name, caption, canvas } of panels) {
    caption.replaceChildren(node("b", {}, t(`sr.way.${name}`)), " ", t(`sr.way.${name}.text`));
    canvas.setAttribute("aria-label", t("ways.label", { name: t(`sr.way.${name}`) }));
  }
  paint();
  root.dataset.drawn = String(value.done);
}

function paint() {
  for (const { canvas, sheet } of panels) {
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(sheet, 0, 0, canvas.width, canvas.height);
  }
}

window.addEventListener("imagegen-enlarged", () => {
  const { sheets, done } = window.imagegen.enlarged;
  const root = element.querySelector(".ways");
  const same = panels.length && panels.every((each) => sheets[each.name] === each.sheet) && !sheets.truth === !panels.some((each) => each.name === "truth");
  if (!same || root.dataset.drawn !== String(done)) draw();
  else if (!done) paint();
});
onLanguage(draw);
draw();
