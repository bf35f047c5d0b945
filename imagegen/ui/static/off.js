// Why a tab is off: an error's template and values, in the visitor's language.
const { t, node, onLanguage } = window.imagegen;

function draw() {
  const { template, values } = props.value;
  element.querySelector(".off").replaceChildren(node("p", {}, t("tab.off")), node("p", { class: "hint" }, t(template, values)));
}

watch("value", draw);
onLanguage(draw);
draw();
