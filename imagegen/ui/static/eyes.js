// A template to put on a face: two dots to drag onto its eyes, and beside it the crop as the model expects it.
const { t, ARROWS, node, picture, onLanguage, onSeen } = window.imagegen;
const CROP = 128;
let image = null;
let target = []; // where the eyes belong, as shares of the crop
let eyes = []; // where the dots are, as shares of the picture
const photo = node("canvas", { width: 1, height: 1 });
const crop = node("canvas", { width: CROP, height: CROP, class: "smooth" });
const dots = [0, 1].map((i) => node("button", { type: "button", class: "eye", onpointerdown: (event) => event.target.setPointerCapture(event.pointerId),
  onpointermove: (event) => event.target.hasPointerCapture(event.pointerId) && drag(i, event), onkeydown: (event) => nudge(i, event) }));

const clamp = (x) => Math.min(1, Math.max(0, x));

function drag(i, event) {
  const box = photo.getBoundingClientRect();
  eyes[i] = [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  paint();
}

function nudge(i, event) {
  const moves = ARROWS[event.key];
  if (!moves) return;
  event.preventDefault();
  eyes[i] = eyes[i].map((x, axis) => clamp(x + 0.01 * moves[axis]));
  paint();
}

// Turns, scales and shifts the picture until both dots lie on the target: p -> e + k (p - p1), with k complex.
function paint() {
  dots.forEach((dot, i) => {
    dot.style.left = `${100 * eyes[i][0]}%`;
    dot.style.top = `${100 * eyes[i][1]}%`;
  });
  const [[x1, y1], [x2, y2]] = [...eyes].sort((a, b) => a[0] - b[0]).map(([x, y]) => [x * image.width, y * image.height]);
  const [[u1, v1], [u2, v2]] = target.map((point) => point.map((part) => part * CROP));
  const [px, py, ex, ey] = [x2 - x1, y2 - y1, u2 - u1, v2 - v1];
  const size = px * px + py * py || 1;
  const [re, im] = [(ex * px + ey * py) / size, (ey * px - ex * py) / size];
  const pen = crop.getContext("2d");
  pen.resetTransform();
  pen.fillStyle = "#808080";
  pen.fillRect(0, 0, CROP, CROP);
  pen.setTransform(re, im, -im, re, u1 - (re * x1 - im * y1), v1 - (im * x1 + re * y1));
  pen.drawImage(image, 0, 0);
}

function take() {
  props.value = { eyes };
  trigger("select");
}

function draw() {
  const root = element.querySelector(".eyes");
  if (!image) return root.replaceChildren(node("p", { class: "hint" }, t("eyes.empty")));
  [photo.width, photo.height] = [image.width, image.height];
  photo.getContext("2d").drawImage(image, 0, 0);
  dots.forEach((dot, i) => dot.setAttribute("aria-label", t(i ? "eyes.second" : "eyes.first")));
  root.replaceChildren(
    node("p", { class: "hint" }, t("eyes.text")),
    node("div", { class: "face" }, photo, ...dots),
    node("div", { class: "fits" }, crop, node("div", { class: "buttons" }, node("button", { type: "button", onclick: take }, t("eyes.take")))));
  paint();
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
}

async function receive() {
  const value = props.value;
  if (!value?.png) return draw();
  const loaded = await picture(value.png);
  if (value !== props.value) return; // a newer one has come meanwhile
  image = loaded;
  target = value.target;
  eyes = value.eyes.map((eye) => [...eye]);
  draw();
}

onSeen(element, () => trigger("focus"), true);
watch("value", receive);
onLanguage(draw);
receive();
