// The lines that ran, with a copy button.
const { t, node, copy, onLanguage } = window.imagegen;
const lines = props.value;
const copyButton = node("button", { type: "button", onclick: () => copy(lines, copyButton) });

function draw() {
  copyButton.textContent = t("copy.code");
  element.querySelector(".listing").replaceChildren(
    node("div", { class: "code" }, copyButton, node("pre", {}, node("code", {}, lines))));
}

onLanguage(draw);
draw();
