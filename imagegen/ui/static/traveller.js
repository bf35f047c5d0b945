// The picture that travels: what every tab works on next.
const { t, node, save, onLanguage } = window.imagegen;

function draw() {
  const root = element.querySelector(".traveller");
  const value = props.value;
  if (!value) {
    root.replaceChildren(node("span", { class: "empty" }, "?"), node("span", { class: "hint" }, t("traveller.empty")));
    return;
  }
  root.replaceChildren(
    node("img", { src: value.png, alt: t("traveller.title") }),
    node("span", {}, node("strong", {}, t("traveller.title")), node("br"),
      node("span", { class: "hint" }, t(value.made ? "traveller.made" : "traveller.brought"))),
    node("button", { type: "button", onclick: () => save(value.png, "picture.png") }, t("download")));
}

watch("value", draw);
onLanguage(draw);
draw();
