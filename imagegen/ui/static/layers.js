// What each layer sees: the photo's content from one layer above, the painting's style up to it below.
const { t, node, onLanguage } = window.imagegen;

function row(title, text, first) {
  const { layers, pictures } = props.value;
  return node("section", {}, node("p", {}, node("b", {}, t(title)), " ", node("span", { class: "hint" }, t(text))),
    node("div", { class: "five" }, ...layers.map((layer, i) => node("figure", {},
      pictures[first + i] ? node("img", { src: pictures[first + i], alt: `${t(title)}: ${layer}` }) : node("span", { class: "blank" }),
      node("figcaption", {}, layer)))));
}

function draw() {
  const root = element.querySelector(".layers");
  const { index, total, layers } = props.value;
  root.replaceChildren(row("layers.content", "layers.content.text", 0), row("layers.style", "layers.style.text", layers.length),
    index && index < total ? node("progress", { max: total, value: index, "aria-label": t("layers.progress") }) : "");
  root.dataset.drawn = String(index ?? 0);
  root.dataset.done = String(Boolean(index) && index === total);
}

watch("value", draw);
onLanguage(draw);
draw();
