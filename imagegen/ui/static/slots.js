// What goes into each slot: a seed, or the visitor's picture as it is when its button is pressed.
const { t, node, onLanguage } = window.imagegen;
const asked = [...props.value];
const names = asked.length === 2 ? ["between.start", "between.end"] : ["A", "B", "C"];
let clicks = 0;

function fill(i, wanted) {
  asked[i] = wanted;
  props.value = [...asked];
  trigger("input");
  draw();
}

function slot(i) {
  const name = t(names[i]);
  const seed = node("input", { type: "number", min: 0, max: 2 ** 32 - 1, step: 1, value: Number.isInteger(asked[i]) ? asked[i] : "",
    placeholder: t("between.mine"), "aria-label": t("slots.seed", { name }), onchange: (event) => event.target.value !== "" && fill(i, Number(event.target.value)) });
  return node("div", { class: "slot" }, node("b", {}, name), node("span", { class: "hint" }, t("seed")), seed,
    node("button", { type: "button", onclick: () => fill(i, Math.floor(Math.random() * 2 ** 32)) }, t("dice")),
    node("button", { type: "button", class: "mine", onclick: () => fill(i, `mine-${clicks += 1}`) }, t("slots.mine")));
}

function draw() {
  element.querySelector(".slots").replaceChildren(...names.map((_, i) => slot(i)));
}

onLanguage(draw);
draw();
