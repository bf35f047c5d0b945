// The same noise at one step, asked for something else: what the network takes the picture to be, for each label.
const { t, node, onLanguage } = window.imagegen;

function draw() {
  const root = element.querySelector(".others");
  const value = props.value;
  if (!value) {
    root.replaceChildren(node("p", { class: "hint" }, t("others.empty")));
    return;
  }
  const digits = value.model === "ddpm-mnist";
  root.replaceChildren(
    node("p", { class: "hint" }, t("others.text", { t: value.t })),
    node("div", { class: "tiles" }, ...value.names.map((name, i) => {
      const word = digits ? name : t(`face.attribute.${name}`);
      const asked = value.asked.includes(name);
      return node("figure", { class: asked ? "asked" : "" },
        node("img", { src: value.pictures[i], alt: word, class: digits ? "" : "smooth" }), node("figcaption", {}, word));
    })));
}

watch("value", draw);
onLanguage(draw);
draw();
