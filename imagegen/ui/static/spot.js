// One place of the maps, decoded by both.
const { t, node, save, onLanguage, setLink } = window.imagegen;
const minus = (x) => x.toFixed(2).replace("-", "−");

function draw() {
  const root = element.querySelector(".spot");
  const value = props.value;
  if (!value) return;
  const names = ["plane.vae", "plane.plain"].map((key) => t(key));
  root.replaceChildren(
    ...value.pictures.map((url, i) => node("figure", {},
      node("img", { src: url, alt: t("spot.alt", { name: names[i], x: minus(value.z[i][0]), y: minus(value.z[i][1]) }) }),
      node("figcaption", {}, node("b", {}, names[i]), node("br"), `z = (${value.z[i].map(minus).join(", ")})`))),
    node("div", { class: "buttons" },
      node("button", { type: "button", onclick: () => trigger("select") }, t("take")),
      node("button", { type: "button", onclick: () => save(value.pictures[0], "digit.png") }, t("download"))));
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
}

function receive() {
  if (props.value?.asked) setLink(element, props.value.link);
  draw();
}

watch("value", receive);
onLanguage(draw);
receive();
