// Each way held against the true picture: the figures, and a map of where it is wrong and how.
const { t, node, chart, onLanguage } = window.imagegen;

function number(value, digits, unit = "") {
  return value === null ? "–" : `${value.toFixed(digits)}${unit}`;
}

function way(name, verdict, best) {
  const row = (key, text) => node("tr", { class: best[key] === name ? "best" : "" }, node("th", { scope: "row" }, t(`truth.${key}`)), node("td", {}, text));
  return node("figure", {}, node("img", { src: verdict.map, alt: t("truth.map", { name: t(`sr.way.${name}`) }) }),
    node("figcaption", {}, node("b", {}, t(`sr.way.${name}`))),
    node("table", {}, row("psnr", number(verdict.psnr, 2, " dB")), row("ssim", number(verdict.ssim, 4)),
      row("distance", number(verdict.distance, 4)), row("invented", `${Math.round(100 * verdict.invented)} %`)));
}

// Which way is best by each measure; the share of invention has no best.
function winners(ways) {
  const by = (key, sign) => Object.entries(ways).filter(([, verdict]) => verdict[key] !== null)
    .reduce((best, each) => (!best || sign * each[1][key] > sign * best[1][key] ? each : best), null)?.[0];
  return { psnr: by("psnr", 1), ssim: by("ssim", 1), distance: by("distance", -1) };
}

// On the way from faithful to pleasing: what is lost in dB, and what is gained for the eye.
function curves({ curve, ways }) {
  if (!curve.length || curve.some(([, psnr, distance]) => psnr === null || distance === null)) return "";
  const cursor = window.imagegen.enlarged?.share ?? 0;
  const look = { cursor, xs: [0, 1], ends: [t("enlarge.faithful"), t("enlarge.pleasing")] };
  const { psnr, distance } = ways.bicubic;
  return node("div", { class: "charts" },
    chart(t("truth.gain"), [{ name: "PSNR", points: curve.map(([share, each]) => [share, each - psnr]) }], look),
    chart(t("truth.ratio"), [{ name: t("truth.distance"), points: curve.map(([share, , each]) => [share, each / distance]) }], look));
}

function draw() {
  const root = element.querySelector(".truth");
  const value = props.value;
  if (!value?.ways) {
    delete root.dataset.drawn;
    return root.replaceChildren(node("p", { class: "hint" }, t("truth.empty")));
  }
  const names = Object.keys(value.ways);
  const best = winners(value.ways);
  root.replaceChildren(
    node("div", { class: "row-of", style: `--columns:${names.length}` }, ...names.map((name) => way(name, value.ways[name], best))),
    node("div", { class: "hint legend" }, node("span", {}, node("span", { class: "swatch invented" }), t("truth.legend.invented")),
      node("span", {}, node("span", { class: "swatch lost" }), t("truth.legend.lost"))),
    node("p", { class: "hint" }, t(names.includes("srgan-x4") ? "truth.text.both" : "truth.text")), curves(value));
  root.dataset.drawn = names.join(" ");
}

window.addEventListener("imagegen-enlarged", () => {
  if (props.value?.ways) element.querySelector(".truth .charts")?.replaceWith(curves(props.value));
});
watch("value", draw);
onLanguage(draw);
draw();
