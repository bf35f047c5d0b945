// A picture four times as large: it fills in tile by tile over bicubic interpolation, and a slider mixes two networks.
const { t, node, picture, compare, save, onLanguage, setLink } = window.imagegen;
const { there } = props;
const BICUBIC = "bicubic";
let about = null; // what is enlarged
let sheets = {}; // a canvas for each way
let at = { index: 0, total: 1 };
let done = null;
let pending = true; // a picture has come that was not enlarged yet
let own = false; // the next picture to come is the one that was made here
let place = "50";
let queue = Promise.resolve();
const mix = node("canvas"); // what the slider shows
const share = node("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0 });
const shown = node("output");
const status = node("span", { class: "hint" });
const bar = node("progress");

const networks = () => about.names;
const mixable = () => about !== null && networks().length === 2;

function sheet(image, [width, height]) {
  const canvas = node("canvas", { width, height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas;
}

// The exact mixture of both results, pixel by pixel: it is linear, so no network needs to run again.
function blend([left, top, right, bottom] = [0, 0, mix.width, mix.height]) {
  const pen = mix.getContext("2d");
  networks().forEach((name, i) => {
    pen.globalAlpha = i ? Number(share.value) : 1;
    pen.drawImage(sheets[name], left, top, right - left, bottom - top, left, top, right - left, bottom - top);
  });
  pen.globalAlpha = 1;
}

function tell() {
  window.imagegen.enlarged = { names: networks(), sheets, size: about.size, share: Number(share.value), done: done !== null };
  window.dispatchEvent(new Event("imagegen-enlarged"));
}

async function begin(value) {
  [about, done, at] = [value, null, { index: 0, total: 1 }];
  setLink(element, undefined, true);
  const low = await picture(value.bicubic);
  sheets = { [BICUBIC]: sheet(low, value.size) };
  for (const name of value.names) sheets[name] = sheet(low, value.size);
  if (value.truth) sheets.truth = sheet(await picture(value.truth), value.size);
  [mix.width, mix.height] = value.size;
  blend();
  draw();
}

async function fill({ run, box, tiles, index, total }) {
  if (run !== about?.run) return; // its beginning was missed; the end says all
  for (const [name, url] of Object.entries(tiles)) {
    sheets[name].getContext("2d").drawImage(await picture(url), box[0], box[1]);
  }
  at = { index, total };
  blend(box);
  note();
}

async function finish(value) {
  for (const [name, url] of Object.entries(value.pictures)) sheets[name] = sheet(await picture(url), about.size);
  done = value;
  blend();
  draw();
}

// What came last is enlarged as soon as this tab is looked at and nothing runs any more.
function run() {
  if (!pending || !element.checkVisibility()) return;
  const button = document.querySelector("#sr-run");
  if (!button?.checkVisibility()) return setTimeout(run, 300);
  pending = false;
  button.click();
}

function come() {
  if (own) {
    own = false;
    return;
  }
  pending = true;
  run();
}

function taken({ link }) {
  own = true;
  setLink(element, link, true);
}

function ask(take) {
  trigger("select", { take, pleasing: mixable() ? Number(share.value) : 0 });
}

// Where the slider is off, it says why.
function reason() {
  if (mixable()) return t("enlarge.mix.text");
  return t(there.includes("srgan-x4") ? "enlarge.mix.real" : "enlarge.mix.missing");
}

function slide() {
  shown.textContent = `${Math.round(100 * share.value)} %`;
  if (!about) return;
  blend();
  element.querySelector(".enlarge").dataset.share = share.value;
  tell();
}

function note() {
  bar.max = at.total;
  bar.value = at.index;
  bar.hidden = done !== null;
  const [width, height] = about.size;
  const sizes = { from: `${width / 4}×${height / 4}`, to: `${width}×${height}` };
  status.textContent = done
    ? t("enlarge.done", { ...sizes, tiles: done.tiles, seconds: done.seconds.toFixed(2) })
    : t("enlarge.running", { ...sizes, n: at.index, total: at.total });
  const root = element.querySelector(".enlarge");
  root.dataset.tiles = String(at.index);
  root.dataset.done = String(done !== null);
  tell();
}

function draw() {
  const root = element.querySelector(".enlarge");
  share.disabled = !mixable();
  share.setAttribute("aria-label", t("enlarge.mix"));
  if (!about) return root.replaceChildren(node("p", { class: "hint" }, t("enlarge.empty")));
  const names = [t("sr.way.bicubic"), mixable() ? t("enlarge.networks") : t(`sr.way.${networks()[0]}`)];
  const pair = compare(sheets[BICUBIC], mix, names);
  const handle = pair.querySelector("input");
  handle.value = place;
  handle.addEventListener("input", () => { place = handle.value; });
  handle.dispatchEvent(new Event("input"));
  root.replaceChildren(pair, bar,
    node("div", { class: "mix" }, node("span", {}, t("enlarge.faithful")), share, node("span", {}, t("enlarge.pleasing")), shown,
      node("span", { class: "hint" }, reason())),
    node("div", { class: "row" }, status, done ? node("div", { class: "buttons" },
      node("button", { type: "button", onclick: () => ask(true) }, t("take")),
      node("button", { type: "button", onclick: () => ask(false) }, t("download"))) : ""),
    about.was ? node("span", { class: "hint" }, t("enlarge.was", { was: about.was.join("×") })) : "");
  slide();
  note();
}

const handlers = { tile: fill, done: finish, file: ({ png }) => save(png, "enlarged.png"), taken };

async function take(value) {
  if (value?.about && value.about.run !== about?.run) await begin(value.about);
  await handlers[value?.kind]?.(value);
}

// One after the other, as they came: each may have pictures to decode.
watch("value", () => {
  const value = props.value;
  queue = queue.then(() => take(value)).catch((problem) => console.error(problem));
});
window.addEventListener("imagegen-travelled", come);
share.addEventListener("input", slide);

// The first visit needs no click, and neither does a picture that came while another tab was open.
new IntersectionObserver((entries) => {
  if (entries.at(-1).isIntersecting) setTimeout(run, 50);
}).observe(element.querySelector(".enlarge"));

onLanguage(draw);
draw();
