// A race of solvers from the same noise, and what was measured of each over many pictures.
const { t, node, chart, onLanguage } = window.imagegen;
const { tables } = props;

function lane(entry, smooth) {
  return node("figure", {},
    entry.png ? node("img", { src: entry.png, class: smooth, alt: t("race.alt", { solver: entry.solver, n: entry.index }) })
      : node("span", { class: "waiting" }),
    node("figcaption", {}, node("b", {}, `${entry.solver}, ${entry.total}`),
      node("progress", { max: entry.total, value: entry.index, "aria-label": t("race.progress", { solver: entry.solver }) }),
      entry.index ? node("span", { class: "hint" }, t("race.numbers", { n: entry.index, total: entry.total,
        calls: entry.calls, seconds: entry.seconds.toFixed(2) })) : ""));
}

function table(model) {
  const measured = tables[model] ?? {};
  const solvers = Object.keys(measured);
  if (!solvers.length) return "";
  const log = (value) => Math.log10(value);
  return node("div", { class: "charts" }, chart(`${t("race.table")}: ${t(`diff.model.${model}`)}`,
    solvers.map((name) => ({ name, points: measured[name].map(([steps, fid]) => [log(steps), log(fid)]) })),
    { xs: [log(5), log(100)], ends: [5, 100] }));
}

function draw() {
  const root = element.querySelector(".race");
  const value = props.value;
  if (!value?.lanes) {
    root.replaceChildren(node("p", { class: "hint" }, t("race.empty")), table("ddpm-mnist"));
    return;
  }
  const smooth = value.model === "ddpm-mnist" ? "" : "smooth";
  root.replaceChildren(node("div", { class: "lanes" }, ...value.lanes.map((entry) => lane(entry, smooth))), table(value.model));
  root.dataset.drawn = String(value.done);
}

watch("value", draw);
onLanguage(draw);
draw();
