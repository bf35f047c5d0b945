// What just happened: the loss with the numbers of the digits on the page, below them stand the lines that ran.
const { t, node, onLanguage } = window.imagegen;

function formula(name, inside, result) {
  return node("div", { class: "formula" }, node("span", {}, name), node("span", {}, inside),
    node("b", {}, `= ${result.toFixed(3)}`));
}

function draw() {
  const root = element.querySelector(".story");
  const value = props.value;
  root.replaceChildren(
    node("p", {}, t("story.text")),
    formula("L(G)", "= mean log(1 + exp(−(D(G(z)) − D(x))))", value.loss_g),
    formula("L(D)", "= mean log(1 + exp(−(D(x) − D(G(z)))))", value.loss_d),
    node("p", { class: "hint" },
      t("story.numbers", { count: value.count, gap: value.gap.toFixed(2), agree: value.agree })));
}

watch("value", draw);
onLanguage(draw);
draw();
