// Somebody's trip, replayed: each stop appears as it is made again. It starts by itself.
const { t, node, onLanguage } = window.imagegen;
let started = false;

function draw() {
  const root = element.querySelector(".journey");
  const value = props.value;
  root.replaceChildren();
  if (!value) return;
  const label = (stop) => t(stop.task ? `made.${stop.task}` : "made.brought");
  const made = value.stops.map((stop) => node("figure", {}, node("img", { src: stop.png, alt: label(stop) }), node("figcaption", {}, label(stop))));
  const waiting = Array.from({ length: value.total - made.length }, () => node("figure", { class: "waiting" }, node("span", {}, "…")));
  if (value["under way"] !== undefined && waiting.length) {
    waiting[0].replaceChildren(node("progress", { max: 1, value: value["under way"], "aria-label": t("journey.title") }));
  }
  const arrived = made.length === value.total;
  root.append(node("strong", {}, t("journey.title")), node("span", { class: "hint" }, t(arrived ? "journey.done" : "journey.text")),
    node("div", { class: "stops" }, ...[...made, ...waiting].flatMap((stop, i) => (i ? [node("span", { class: "arrow", "aria-hidden": "true" }, "→"), stop] : [stop]))));
  root.dataset.stops = String(made.length);
  document.querySelector("#journey-row")?.classList.add("there");
  if (!started) {
    started = true;
    document.querySelector("#journey-run")?.click();
  }
}

watch("value", draw);
onLanguage(draw);
draw();
