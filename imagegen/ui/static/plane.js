// Two maps of digits, with and without the KL term: under the pointer the atlas shows at once what lies there,
// and where it is released the server decodes exactly.
const { t, node, picture, onLanguage, onSeen } = window.imagegen;
const SIDE = 960; // of a map's canvas
const TILE = 28;
const QUIET = 0.3; // how much of the atlas shines through
const DOT = 3.4;
const REACH = 3; // standard deviations that the ellipse shows
const COLOURS = {
  light: ["#3b5bdb", "#e8590c", "#2b8a3e", "#c92a2a", "#862e9c", "#8a6642", "#d6336c", "#0b7285", "#6b7280", "#b08900"],
  dark: ["#748ffc", "#ff922b", "#69db7c", "#ff6b6b", "#da77f2", "#c4a484", "#f783ac", "#3bc9db", "#adb5bd", "#fcc419"],
};
let panels = []; // one a map, once the server has sent them
let labels = "";
let place = [0.5, 0.5]; // that is decoded, as a share of the way between the edges of either map
let only = null; // the only class that is shown
let dark = false; // the theme that the maps are painted for

const svg = (tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

// A tile's middle stands for its place, so the first and last reach half a tile beyond the edges; y points up.
const across = (share, tiles) => (share * (tiles - 1) + 0.5) / tiles;
const back = (x, tiles) => (x * tiles - 0.5) / (tiles - 1);
const shareOf = (map, z) => z.map((value, axis) => (value - map.edges[axis][0]) / (map.edges[axis][1] - map.edges[axis][0]));
const zOf = (map, share) => share.map((part, axis) => map.edges[axis][0] + part * (map.edges[axis][1] - map.edges[axis][0]));

async function panel(map) {
  const image = await picture(map.atlas);
  const reader = node("canvas", { width: image.width, height: image.height }).getContext("2d", { willReadFrequently: true });
  reader.drawImage(image, 0, 0);
  const rgba = reader.getImageData(0, 0, image.width, image.height).data;
  const grey = Uint8Array.from({ length: rgba.length / 4 }, (_, i) => rgba[4 * i]);
  const canvas = node("canvas", { width: SIDE, height: SIDE, tabindex: 0 });
  const lens = node("canvas", { width: TILE, height: TILE, class: "lens", hidden: true });
  const overlay = svg("svg", { viewBox: "0 0 1 1", "aria-hidden": "true" });
  const codes = new Int16Array(Uint8Array.from(atob(map.codes), (letter) => letter.charCodeAt(0)).buffer);
  const made = { map: { ...map, codes }, grey, canvas, lens, overlay, caption: node("figcaption") };
  made.figure = node("figure", {}, node("div", { class: "ground" }, canvas, overlay, lens), made.caption);
  canvas.addEventListener("pointermove", (event) => look(made, at(event, made)));
  canvas.addEventListener("pointerdown", (event) => look(made, at(event, made)));
  canvas.addEventListener("pointerup", (event) => ask(made, at(event, made)));
  canvas.addEventListener("pointerleave", away);
  canvas.addEventListener("pointercancel", away);
  canvas.addEventListener("keydown", (event) => step(event, made));
  return made;
}

function at(event, { canvas, map }) {
  const box = canvas.getBoundingClientRect();
  const shares = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
  return shares.map((x) => back(Math.min(1, Math.max(0, x)), map.tiles));
}

// The four tiles around a place, mixed by how near they are.
function between({ map, grey }, [x, y]) {
  const last = map.tiles - 1;
  const [column, row] = [x, y].map((share) => Math.min(last, Math.max(0, share * last)));
  const [left, low] = [Math.min(last - 1, Math.floor(column)), Math.min(last - 1, Math.floor(row))];
  const [right, up] = [column - left, row - low];
  const made = new ImageData(TILE, TILE);
  const width = map.tiles * TILE;
  for (let i = 0; i < TILE * TILE; i += 1) {
    const from = (low * TILE + Math.floor(i / TILE)) * width + left * TILE + i % TILE;
    const above = from + TILE * width;
    const level = (1 - up) * ((1 - right) * grey[from] + right * grey[from + TILE])
      + up * ((1 - right) * grey[above] + right * grey[above + TILE]);
    made.data.fill(level, 4 * i, 4 * i + 3);
    made.data[4 * i + 3] = 255;
  }
  return made;
}

// A lens beside the same place of both maps.
function look(asked, share) {
  for (const each of panels) {
    const [x, y] = [across(share[0], each.map.tiles), 1 - across(share[1], each.map.tiles)];
    each.lens.getContext("2d").putImageData(between(each, share), 0, 0);
    each.lens.style.left = `${100 * x}%`;
    each.lens.style.top = `${100 * y}%`;
    each.lens.classList.toggle("leftwards", x > 0.7);
    each.lens.classList.toggle("downwards", y < 0.3);
    each.lens.classList.toggle("echo", each !== asked);
    each.lens.hidden = false;
  }
  element.querySelector(".plane").dataset.place = share.map((part) => part.toFixed(3)).join(" ");
}

function away() {
  for (const { lens } of panels) lens.hidden = true;
}

function ask(asked, share) {
  place = share;
  mark();
  props.value = { z: zOf(asked.map, share), plane: asked.map.name };
  trigger("input");
}

function step(event, asked) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
  if (!moves) return;
  event.preventDefault();
  const edge = 0.5 / (asked.map.tiles - 1);
  const share = place.map((part, axis) => Math.min(1 + edge, Math.max(-edge, part + moves[axis] * edge)));
  look(asked, share);
  ask(asked, share);
}

// What lies over the dots: the place that is decoded, and the visitor's own digit.
function mark() {
  const own = window.imagegen.place;
  for (const { map, overlay } of panels) {
    const spot = (share) => [across(share[0], map.tiles), 1 - across(share[1], map.tiles)];
    const wide = (sigma, axis) => sigma / (map.edges[axis][1] - map.edges[axis][0]) * (map.tiles - 1) / map.tiles;
    const [x, y] = spot(place);
    overlay.replaceChildren(svg("circle", { class: "place", cx: x, cy: y, r: 0.012 }));
    if (!own) continue;
    const variational = map.name === panels[0].map.name;
    const [cx, cy] = spot(shareOf(map, variational ? own.mu : own.plain));
    overlay.append(...[`M${cx} 0V1`, `M0 ${cy}H1`].map((d) => svg("path", { class: "own-line", d })));
    const [rx, ry] = variational ? own.sigma.map((sigma, axis) => REACH * wide(sigma, axis)) : [0.006, 0.006];
    overlay.append(svg("ellipse", { class: "own", cx, cy, rx, ry }));
  }
  element.querySelector(".plane").dataset.own = own ? own.mu.join(" ") : "";
}

function paint() {
  dark = document.body.classList.contains("dark");
  const [ink, colours] = [dark ? 233 : 35, COLOURS[dark ? "dark" : "light"]];
  for (const { map, grey, canvas } of panels) {
    const pen = canvas.getContext("2d");
    const width = map.tiles * TILE;
    const tiles = new ImageData(width, width);
    for (let i = 0; i < grey.length; i += 1) {
      const row = map.tiles - 1 - Math.floor(i / width / TILE); // the first row is the lowest
      const to = (row * TILE + Math.floor(i / width) % TILE) * width + i % width;
      tiles.data.fill(ink, 4 * to, 4 * to + 3);
      tiles.data[4 * to + 3] = QUIET * grey[i];
    }
    const sheet = node("canvas", { width, height: width });
    sheet.getContext("2d").putImageData(tiles, 0, 0);
    pen.clearRect(0, 0, SIDE, SIDE);
    pen.drawImage(sheet, 0, 0, SIDE, SIDE);
    for (let i = 0; i < labels.length; i += 1) {
      const [x, y] = [map.codes[2 * i] / 1000, map.codes[2 * i + 1] / 1000];
      const shown = only === null || Number(labels[i]) === only;
      pen.globalAlpha = shown ? 0.85 : 0.07;
      pen.fillStyle = colours[labels[i]];
      pen.beginPath();
      pen.arc(SIDE * across(x, map.tiles), SIDE * (1 - across(y, map.tiles)), DOT, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }
  element.querySelectorAll(".classes button").forEach((button, digit) => {
    button.style.setProperty("--class", colours[digit]);
    button.setAttribute("aria-pressed", String(only === digit));
  });
}

function legend() {
  const button = (digit) => node("button", { type: "button", title: t("plane.only", { digit }),
    onclick: () => { only = only === digit ? null : digit; paint(); } }, String(digit));
  return node("div", { class: "classes" }, ...Array.from({ length: 10 }, (_, digit) => button(digit)),
    node("span", { class: "hint" }, t("plane.legend")));
}

function draw() {
  const root = element.querySelector(".plane");
  if (!panels.length) return root.replaceChildren(node("p", { class: "hint" }, t("plane.empty")));
  panels.forEach(({ canvas, caption }, i) => {
    const name = t(i ? "plane.plain" : "plane.vae");
    canvas.setAttribute("aria-label", t("plane.label", { name }));
    caption.replaceChildren(node("b", {}, name), " ", t(i ? "plane.plain.text" : "plane.vae.text"));
  });
  root.replaceChildren(node("div", { class: "maps" }, ...panels.map((each) => each.figure)), legend());
  paint();
  mark();
  root.dataset.drawn = "true";
}

async function receive() {
  const value = props.value;
  if (!value?.maps) return;
  props.value = { z: value.z, plane: value.plane }; // Gradio copies all values at every event: keep none that is large
  panels = await Promise.all(value.maps.map(panel));
  labels = value.labels;
  place = shareOf(panels.find(({ map }) => map.name === value.plane).map, value.z);
  draw();
}

onSeen(element, () => trigger("focus"));
window.addEventListener("imagegen-place", () => panels.length && mark());
new MutationObserver(() => panels.length && dark !== document.body.classList.contains("dark") && paint())
  .observe(document.body, { attributes: true, attributeFilter: ["class"] });
watch("value", receive);
onLanguage(draw);
draw();
