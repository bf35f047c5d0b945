// Pixels that change until the features fit: the newest picture while it runs, every one to scrub through, the losses.
const { t, spread, node, chart, save, onLanguage, setLink, handOn } = window.imagegen;
const KEPT = 64; // moments at most, and then every other one is let go
const FLOOR = 1e-6; // of a loss on a logarithmic axis
const picture = node("img", { class: "smooth" });
const slider = node("input", { type: "range", min: 1, max: 1, value: 1, step: 1 });
let moments = []; // of this run: { index, frame, content, style, loss }
let value = null;
let at = 0;

const log = (loss) => Math.log10(Math.max(loss, FLOOR));
const last = () => moments[moments.length - 1];

function thumbnail(i) {
  const title = t("gatys.at", { n: moments[i].index });
  return node("button", { type: "button", title, "aria-label": title, onclick: () => go(i) },
    node("img", { src: moments[i].frame, alt: "" }));
}

function scrub() {
  const chosen = spread(moments.length - 1);
  slider.max = moments.length;
  slider.setAttribute("aria-label", t("gatys.scrub"));
  return node("div", { class: "scrub" }, node("div", { class: "strip" }, ...chosen.map(thumbnail)), slider);
}

function curves() {
  const xs = [1, Math.max(2, last().index)];
  const options = { xs, cursor: value.picture ? moments[at].index : null };
  const line = (kind, name, height) => ({ name, points: moments.map((moment) => [moment.index, height(moment[kind][name])]) });
  return node("div", { class: "charts" },
    chart(t("gatys.content"), Object.keys(last().content).map((name) => line("content", name, (loss) => loss)), options),
    chart(t("gatys.style"), Object.keys(last().style).map((name) => line("style", name, log)), options));
}

function about() {
  const words = { n: moments[at].index, total: value.total, loss: moments[at].loss.toPrecision(3) };
  return node("span", { class: "hint" }, t("gatys.now", words), value.seconds ? ` ${t("gatys.took", { seconds: value.seconds.toFixed(1) })}` : "");
}

function onward() {
  document.querySelector("#style-start input[value=picture]").click();
  setTimeout(() => document.querySelector("#style-run").click(), 150);
}

function buttons() {
  return node("div", { class: "buttons" },
    node("button", { type: "button", onclick: () => { handOn(element); trigger("select"); } }, t("take")),
    node("button", { type: "button", class: "onward", onclick: onward }, t("gatys.onward")),
    node("button", { type: "button", onclick: () => save(value.picture, "result.png") }, t("download")));
}

function go(i) {
  at = i;
  slider.value = i + 1;
  picture.src = moments[i].frame;
  const root = element.querySelector(".gatys");
  root.querySelector(".row .hint").replaceWith(about());
  root.querySelector(".charts").replaceWith(curves());
}

function show() {
  const root = element.querySelector(".gatys");
  if (!value) return root.replaceChildren(node("p", { class: "hint" }, t("gatys.empty")));
  picture.alt = t("gatys.picture");
  picture.src = moments[at].frame;
  const done = Boolean(value.picture);
  root.replaceChildren(picture,
    done ? scrub() : node("progress", { max: value.total, value: value.index, "aria-label": t("gatys.progress") }),
    node("div", { class: "row" }, about(), done ? buttons() : ""), curves());
  slider.value = at + 1;
  root.dataset.drawn = String(last().index);
  root.dataset.done = String(done);
}

function draw() {
  const news = props.value;
  if (!news || (news.stopped && (!value || value.picture))) return;
  if (news.stopped) value = { ...value, ...news };
  else {
    if (news.run !== value?.run) moments = [];
    else if (moments.length >= KEPT) moments = moments.filter((_, i) => i % 2 === 0);
    value = news;
    const { index, frame, content, style, loss } = news;
    moments.push({ index, frame, content, style, loss });
  }
  at = moments.length - 1;
  show();
  if (value.link) setLink(element, value.link, true);
}

slider.addEventListener("input", () => go(Number(slider.value) - 1));
watch("value", draw);
onLanguage(show);
show();
