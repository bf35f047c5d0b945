// Prompts to begin with, one click each; those of the visitor's language first.
const { t, node, language, onLanguage } = window.imagegen;
const phrases = props.value; // sent once

function draw() {
  const first = language();
  const all = [...phrases[first], ...phrases[first === "en" ? "zh" : "en"]];
  element.querySelector(".phrases").replaceChildren(...all.map((text) => node("button", { type: "button",
    title: t("phrases.take"), onclick: () => trigger("select", { text }) }, text)));
}

onLanguage(draw);
draw();
