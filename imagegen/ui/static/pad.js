// A sketch pad: dark ink on paper; every stroke's end sends the drawing, as base64 of a PNG.
const { t, node, onLanguage } = window.imagegen;
const SIDE = 280;
const canvas = node("canvas", { width: SIDE, height: SIDE, tabindex: 0 });
const pen = canvas.getContext("2d");
let last = null;

function clear() {
  pen.fillStyle = "white";
  pen.fillRect(0, 0, SIDE, SIDE);
}

function at(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
}

function move(event) {
  if (!last) return;
  const point = at(event);
  pen.lineWidth = 20;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = "#111";
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(...point);
  pen.stroke();
  last = point;
}

function send() {
  if (!last) return;
  last = null;
  props.value = canvas.toDataURL("image/png").split(",")[1];
  trigger("input");
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  last = at(event);
  move(event);
});
canvas.addEventListener("pointermove", move);
canvas.addEventListener("pointerup", send);
canvas.addEventListener("pointercancel", send);

function draw() {
  const root = element.querySelector(".pad");
  canvas.setAttribute("aria-label", t("pad.name"));
  root.replaceChildren(canvas, node("button", { type: "button", onclick: clear }, t("pad.clear")));
}

clear();
watch("value", draw);
onLanguage(draw);
draw();
