// The loss with the numbers of the last run, and of each layer the Gram matrices of painting, photo and result.
const { t, node, onLanguage } = window.imagegen;
const number = (x) => Number(x.toPrecision(3)).toString();

function formula() {
  const { content, style, style_weight: weight, loss } = props.value;
  const sum = style.map(({ weight: w, loss: e }) => `${number(w)}·${number(e)}`).join(" + ");
  return node("div", { class: "formula" }, node("span", {}, "L = α · C + β · Σ w E"),
    node("span", {}, `= ${number(content.weight)} · ${number(content.loss)} + ${number(weight)} · (${sum})`), node("b", {}, `= ${number(loss)}`));
}

function draw() {
  const root = element.querySelector(".grams");
  if (!props.value) return root.replaceChildren(node("p", { class: "hint" }, t("grams.empty")));
  const names = ["painting", "photo", "result"].map((name) => t(`grams.${name}`));
  root.replaceChildren(formula(), node("div", { class: "matrices" }, ...props.value.style.map(({ layer, loss, grams }) =>
    node("figure", {}, node("figcaption", {}, node("b", {}, layer), ` E = ${number(loss)}`),
      node("div", { class: "row" }, ...grams.map((url, i) => node("span", {}, node("img", { src: url, alt: `${layer}: ${names[i]}` }), node("small", {}, names[i]))))))));
  root.dataset.drawn = "true";
}

watch("value", draw);
onLanguage(draw);
draw();
