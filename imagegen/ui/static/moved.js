// A picture as the sliders have it, and what it was before.
const { t, node, save, onLanguage, onSeen, setLink } = window.imagegen;
let opened = false;

function draw() {
  const root = element.querySelector(".moved");
  const value = props.value;
  if (!value?.png) return root.replaceChildren(node("p", { class: "hint" }, t("moved.empty")));
  const smooth = value.smooth ? "smooth" : "";
  root.replaceChildren(
    node("div", { class: "pair" }, node("img", { src: value.png, class: smooth, alt: t("moved.alt") }),
      value.before ? node("figure", {}, node("img", { src: value.before, class: smooth, alt: t("moved.before") }), node("figcaption", {}, t("moved.before"))) : ""),
    node("div", { class: "buttons" },
      node("button", { type: "button", onclick: () => trigger("select") }, t("take")),
      node("button", { type: "button", onclick: () => save(value.png, "picture.png") }, t("download"))));
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
  if (value.opened && !opened) { // by a link: show it
    opened = true;
    requestAnimationFrame(() => root.scrollIntoView({ block: "center" }));
  }
}

function receive() {
  const value = props.value;
  const touched = element.querySelector(".moved").dataset.drawn || value?.opened;
  if (value?.link && touched) setLink(element, value.link);
  draw();
}

onSeen(element, () => trigger("focus"));
watch("value", receive);
onLanguage(draw);
receive();
