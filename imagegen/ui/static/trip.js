// There and back: the picture drowned to each level, above what came back from there.
const { t, node, onLanguage } = window.imagegen;

function draw() {
  const root = element.querySelector(".trip");
  const value = props.value;
  if (!value) {
    root.replaceChildren(node("p", { class: "hint" }, t("trip.empty")));
    return;
  }
  const smooth = value.levels.some((level) => level.reading === null) ? "smooth" : "";
  const own = node("figure", { class: "own" }, node("img", { src: value.picture, class: smooth, alt: t("trip.own") }),
    node("figcaption", {}, t("trip.own")));
  const levels = value.levels.map((level) => node("figure", {},
    node("img", { src: level.drowned, alt: t("trip.drowned", { t: level.t }) }),
    node("span", { class: "arrow", "aria-hidden": "true" }, "↓"),
    node("img", { src: level.png, class: smooth, alt: t("trip.back", { t: level.t }) }),
    node("figcaption", {}, node("b", {}, `t = ${level.t}`), node("span", {}, `${level.psnr.toFixed(1)} dB`),
      level.reading === null ? "" : node("span", {}, t("trip.reads", { digit: level.reading })))));
  root.replaceChildren(node("div", { class: "levels" }, own, ...levels),
    value.levels.length < value.total
      ? node("progress", { max: value.total, value: value.levels.length, "aria-label": t("trip.progress") })
      : node("p", { class: "hint" }, t("trip.text")));
  root.dataset.drawn = String(value.levels.length);
}

watch("value", draw);
onLanguage(draw);
draw();
