// The picture that is edited, and a brush that marks where: mouse, pen or finger, the arrow keys, or a part of a face.
// Where there is no picture yet, the page's own button is asked for a face, and the first edit then runs by itself.
const { t, ARROWS, node, picture, onLanguage, onSeen } = window.imagegen;
const SIDE = 64; // of the mask of a face, as sd-mini takes it
const LONGER = 256; // side of the mask of any other picture
const SHOWN = 384;
const REGIONS = { // [x, y, width, height] each, where faces as CelebA has them keep these
  eyes: [[8, 22, 48, 18]],
  mouth: [[16, 42, 32, 18]],
  top: [[0, 0, 64, 26]],
  hair: [[0, 0, 64, 20], [0, 20, 14, 44], [50, 20, 14, 44]],
  left: [[0, 0, 32, 64]],
};
const canvas = node("canvas", { width: SHOWN, height: SHOWN, tabindex: 0 });
const mask = node("canvas", { width: SIDE, height: SIDE });
const veil = node("canvas", {}); // the mask as it is shown
const pen = mask.getContext("2d", { willReadFrequently: true });
const size = node("input", { type: "range", min: 3, max: 24, step: 1, value: 10 });
let image = null;
let faces = true; // whether it is a face that is edited, whose parts have their places
let making = null; // how far the page's own face is
let newest = null; // picture that came to be shown
let givenUp = false; // it, for a picture of the visitor's own
let mode = "part";
let erasing = false;
let last = null; // where the stroke is
let cursor = null; // where the keyboard is
let first = false; // the picture to come is the page's own: it is edited at once

// The mask is as wide and high as the picture is, in its own pixels; of a picture of another shape it begins empty.
function fit() {
  const { naturalWidth, naturalHeight } = image;
  const longer = Math.max(naturalWidth, naturalHeight);
  const [width, height] = [naturalWidth, naturalHeight].map((side) => Math.max(1, Math.round(side * (faces ? SIDE : LONGER) / longer)));
  if (mask.width === width && mask.height === height) return;
  Object.assign(mask, { width, height });
  const zoom = SHOWN / Math.max(width, height);
  Object.assign(canvas, { width: Math.ceil(width * zoom), height: Math.ceil(height * zoom) });
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.style.width = `min(100%, ${canvas.width}px)`;
}

// Of a size that is said for a face.
const scaled = (pixels) => pixels * Math.max(mask.width, mask.height) / SIDE;

function send() {
  const sheet = node("canvas", { width: mask.width, height: mask.height });
  const plain = sheet.getContext("2d");
  plain.fillRect(0, 0, mask.width, mask.height);
  plain.drawImage(mask, 0, 0);
  props.value = { mask: sheet.toDataURL("image/png").split(",")[1] };
}

// Each pixel of the mask in one of two colours, by whether it is covered.
function coloured(inside, outside) {
  const sheet = pen.getImageData(0, 0, mask.width, mask.height);
  for (let i = 0; i < sheet.data.length; i += 4) sheet.data.set(sheet.data[i + 3] > 127 ? inside : outside, i);
  return sheet;
}

function paint() {
  const context = canvas.getContext("2d");
  if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
  if (!image || mode === "whole" || making) return;
  Object.assign(veil, { width: mask.width, height: mask.height });
  veil.getContext("2d").putImageData(coloured([255, 92, 138, 140], [0, 0, 0, 0]), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(veil, 0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = true;
  if (!cursor) return;
  const zoom = canvas.width / mask.width;
  context.strokeStyle = "#fff";
  context.lineWidth = 2;
  context.beginPath();
  context.arc(zoom * cursor[0], zoom * cursor[1], zoom * scaled(size.value) / 2, 0, 2 * Math.PI);
  context.stroke();
}

function stroke(from, to) {
  pen.globalCompositeOperation = erasing ? "destination-out" : "source-over";
  pen.strokeStyle = "#fff";
  pen.lineWidth = scaled(size.value);
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.stroke();
  paint();
}

function at(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * mask.width / box.width, (event.clientY - box.top) * mask.height / box.height];
}

canvas.addEventListener("pointerdown", (event) => {
  if (mode === "whole" || !image) return;
  canvas.setPointerCapture(event.pointerId);
  [last, cursor] = [at(event), null];
  stroke(last, [last[0] + 0.01, last[1]]);
});
canvas.addEventListener("pointermove", (event) => {
  if (!last) return;
  const place = at(event);
  stroke(last, place);
  last = place;
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => {
  if (!last) return;
  last = null;
  send();
});
canvas.addEventListener("keydown", (event) => {
  const move = ARROWS[event.key];
  if (mode === "whole" || !image || (!move && event.key !== " " && event.key !== "Enter")) return;
  event.preventDefault();
  const sides = [mask.width, mask.height];
  cursor ??= sides.map((side) => side / 2);
  if (move) cursor = cursor.map((place, axis) => Math.min(sides[axis], Math.max(0, place + scaled(2) * move[axis])));
  else {
    stroke(cursor, [cursor[0] + 0.01, cursor[1]]);
    send();
  }
  paint();
});
canvas.addEventListener("blur", () => {
  cursor = null;
  paint();
});

function clear() {
  pen.globalCompositeOperation = "source-over";
  pen.clearRect(0, 0, mask.width, mask.height);
}

function cover(region) {
  clear();
  pen.fillStyle = "#fff";
  for (const part of REGIONS[region]) pen.fillRect(...part);
}

function change(how) {
  how();
  send();
  draw();
}

function invert() {
  pen.putImageData(coloured([0, 0, 0, 0], [255, 255, 255, 255]), 0, 0);
}

function tools() {
  const button = (words, onclick, pressed = null) => node("button", { type: "button", "aria-pressed": pressed, onclick }, words);
  const tool = (name, erases) => button(t(name), () => { erasing = erases; draw(); }, String(erasing === erases));
  return [
    node("div", { class: "buttons" }, tool("brush.paint", false), tool("brush.erase", true),
      button(t("pad.clear"), () => change(clear)), button(t("brush.invert"), () => change(invert))),
    node("label", { class: "hint size" }, t("brush.size"), size),
    ...(faces ? [node("div", { class: "buttons", role: "group", "aria-label": t("brush.regions") },
      ...Object.keys(REGIONS).map((name) => button(t(`brush.region.${name}`), () => change(() => cover(name)))))] : [])];
}

function draw() {
  const root = element.querySelector(".brush");
  canvas.setAttribute("aria-label", t("brush.name"));
  canvas.classList.toggle("still", mode === "whole");
  if (!image) return root.replaceChildren(node("p", { class: "hint" }, t("brush.empty")));
  const below = making ? [node("progress", { ...making, "aria-label": t("denoise.progress") })]
    : mode === "whole" ? [node("p", { class: "hint" }, t("brush.whole"))] : tools();
  root.replaceChildren(canvas, ...below);
  paint();
  root.dataset.mode = mode;
}

function run() {
  setTimeout(() => document.querySelector("#edit-run")?.click(), 50);
}

async function receive() {
  const value = props.value;
  if (!value || value.mask) return;
  if (value.empty) {
    first = true;
    document.querySelector("#face-run")?.click();
  }
  mode = value.mode ?? mode;
  if (value.region) cover(value.region);
  const stop = document.querySelector("#face-stop");
  if (value.brought && stop?.checkVisibility()) {
    givenUp = true;
    stop.click();
  }
  if (value.preview && givenUp) return send(); // it was under way, and took the mask's place
  const url = value.preview ?? value.png;
  if (url) {
    newest = url;
    const loaded = await picture(url);
    if (url !== newest) return; // another one has come meanwhile
    [image, faces] = [loaded, value.faces ?? true];
    fit();
    making = value.preview ? { value: value.index, max: value.total } : null;
  }
  draw();
  if (value.preview) return;
  const begins = first && value.png;
  if (begins) {
    first = false;
    cover("eyes");
    draw();
  }
  send();
  element.querySelector(".brush").dataset.drawn = String(Boolean(image));
  if ((begins && !value.brought) || value.run) run();
}

document.addEventListener("click", (event) => { if (event.target.closest("#face-run")) givenUp = false; });
onSeen(element.querySelector(".brush"), () => trigger("focus"), true);
watch("value", receive);
onLanguage(draw);
draw();
receive(); // a picture may have come before the tab was first opened
