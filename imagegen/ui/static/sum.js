// A sum of three codes: what A is without B and with C.
const { t, node, save, onLanguage, onSeen } = window.imagegen;
const SIGNS = ["", "−", "+", "="];

function draw() {
  const root = element.querySelector(".sum");
  const value = props.value;
  if (!value?.pictures) return root.replaceChildren(node("p", { class: "hint" }, t("sum.empty")));
  const caption = (i) => (i === 3 ? "A − B + C" : `${"ABC"[i]}: ${value.captions[i] === null ? t("between.mine") : t("between.seed", { seed: value.captions[i] })}`);
  root.replaceChildren(
    node("div", { class: "terms" }, ...value.pictures.map((url, i) => node("figure", {},
      node("span", { class: "arrow", "aria-hidden": "true" }, SIGNS[i]),
      node("img", { src: url, class: "smooth", alt: caption(i) }), node("figcaption", {}, caption(i))))),
    node("div", { class: "buttons" },
      node("button", { type: "button", onclick: () => trigger("select") }, t("take")),
      node("button", { type: "button", onclick: () => save(value.pictures[3], "picture.png") }, t("download"))));
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
}

onSeen(element, () => trigger("focus"));
watch("value", draw);
onLanguage(draw);
draw();
