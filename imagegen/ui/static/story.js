// What just happened: the loss with the numbers of the digits on the page, and the lines that ran.
const { t, node, copy, onLanguage } = window.imagegen;

const lines = props.value.code; // sent once, with the first numbers
const copyButton = node("button", { type: "button", onclick: () => copy(lines, copyButton) });
const code = node("div", { class: "code" }, copyButton, node("pre", {}, node("code", {}, lines)));

function formula(name, inside, result) {
  return node("div", { class: "formula" }, node("span", {}, name), node("span", {}, inside),
    node("b", {}, `= ${result.toFixed(3)}`));
}

function draw() {
  const root = element.querySelector(".story");
  const value = props.value;
  copyButton.textContent = t("copy.code");
  root.replaceChildren(
    node("p", {}, t("story.text")),
    formula("L(G)", "= mean log(1 + exp(−(D(G(z)) − D(x))))", value.loss_g),
    formula("L(D)", "= mean log(1 + exp(−(D(x) − D(G(z)))))", value.loss_d),
    node("p", { class: "hint" },
      t("story.numbers", { count: value.count, gap: value.gap.toFixed(2), agree: value.agree })),
    code);
}

watch("value", draw);
onLanguage(draw);
draw();
