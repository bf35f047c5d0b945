// What just happened: what each network was trained to make small, and what this picture gave.
const { t, node, onLanguage } = window.imagegen;

function draw() {
  const root = element.querySelector(".losses");
  const { losses, plot, back, l1 } = props.value; // all of it each time: the accordion may be opened late
  const trained = Object.entries(losses).map(([name, loss]) => node("div", { class: "formula" }, node("span", {}, `L(${name})`), node("span", {}, `= ${loss}`)));
  const made = Object.entries(back ?? {}).map(([name, decibels]) => node("tr", {}, node("th", { scope: "row" }, t(`sr.way.${name}`)),
    node("td", {}, decibels === null ? "∞" : `${decibels.toFixed(1)} dB`), node("td", {}, l1 ? l1[name].toFixed(4) : "–")));
  root.replaceChildren(...trained,
    made.length ? node("table", {}, node("tr", {}, node("th"), node("th", { scope: "col" }, t("losses.back")), node("th", { scope: "col" }, t("losses.l1"))), ...made) : "",
    made.length ? node("p", { class: "hint" }, t("losses.text")) : "",
    plot ? node("img", { src: plot, class: "plot", alt: t("losses.plot") }) : "");
}

watch("value", draw);
onLanguage(draw);
draw();
