// A picture drowned in the same noise by each schedule: picture, histogram turning into a Gaussian, curves, formula.
const { t, node, chart, onLanguage, onSeen } = window.imagegen;
const { curves } = props;
const REACH = 3;
let value = null;

function histogram(shares) {
  const width = 2 * REACH / shares.length;
  const bars = shares.map((share, i) => [-REACH + (i + 0.5) * width, share / width]);
  const bell = bars.map(([x]) => [x, Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI)]);
  const most = Math.max(...bell.map((point) => point[1])) * 2.5; // a picture's own peaks are far higher
  return chart(t("forward.histogram"), [{ name: t("forward.pixels"), points: bars.map(([x, y]) => [x, Math.min(y, most)]) },
    { name: "N(0, 1)", points: bell }], { xs: [-REACH, REACH] });
}

function panel(entry) {
  const [signal, noise] = [Math.sqrt(entry.alpha), Math.sqrt(1 - entry.alpha)];
  return node("figure", { class: "panel" },
    node("img", { src: entry.png, alt: t("forward.alt", { schedule: entry.schedule, t: value.t }) }),
    node("figcaption", {}, node("b", {}, t(`schedule.${entry.schedule}`)), ` ᾱ = ${entry.alpha.toPrecision(3)}`),
    node("span", { class: "formula" }, `x_t = ${signal.toFixed(3)} · x0 + ${noise.toFixed(3)} · ε`),
    histogram(entry.histogram));
}

function draw() {
  const root = element.querySelector(".forward");
  if (props.value?.panels) value = props.value;
  const named = (lines) => lines.map((line) => ({ ...line, name: t(`schedule.${line.name}`) }));
  const cursor = value ? value.t : null;
  root.replaceChildren(
    value ? node("div", { class: "panels" }, ...value.panels.map(panel)) : node("p", { class: "hint" }, t("forward.empty")),
    node("div", { class: "charts" },
      ...["beta", "alpha", "snr"].map((key) => chart(t(`forward.${key}`), named(curves[key]), { cursor }))));
  root.dataset.drawn = value ? String(value.t) : "";
}

onSeen(element, () => trigger("focus"), true);
watch("value", draw);
onLanguage(draw);
draw();
