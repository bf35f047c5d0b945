// What the same noise gave at one moment of the training.
const { t, node, onLanguage } = window.imagegen;

function draw() {
  const root = element.querySelector(".lapse");
  const value = props.value;
  if (!value?.png) {
    root.replaceChildren(node("p", { class: "hint" }, t("lapse.none")));
    return;
  }
  root.replaceChildren(node("img", { src: value.png, alt: t("lapse.step", { step: value.step }) }),
    node("span", { class: "hint" }, t("lapse.step", { step: value.step })));
  root.dataset.drawn = String(value.step);
}

watch("value", draw);
onLanguage(draw);
draw();
