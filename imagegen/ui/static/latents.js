// Sliders through the code: attributes of a face, and the latents in the order of what they cost; dead ones are grey.
const { t, node, onLanguage, onSeen } = window.imagegen;
const REACH = 3;
const SHOWN = { attributes: 8, latents: 6 };
let known = null; // what can be moved, as the server sent it
let moves = { offsets: [], amounts: [] };
const unfolded = new Set();

function send() {
  props.value = { offsets: [...moves.offsets], amounts: [...moves.amounts] };
  trigger("input");
}

function slider(list, i, name, note, dead = false) {
  const said = node("output", {}, moves[list][i].toFixed(1));
  const input = node("input", { type: "range", min: -REACH, max: REACH, step: 0.1, value: moves[list][i], "aria-label": `${name}, ${note}`,
    oninput: () => {
      moves[list][i] = Number(input.value);
      said.textContent = moves[list][i].toFixed(1);
      send();
    } });
  return node("label", { class: dead ? "slide dead" : "slide", title: dead ? t("latents.dead") : note },
    node("span", {}, name, " ", node("small", {}, note)), said, input);
}

function group(key, sliders) {
  const shown = SHOWN[key];
  const rest = sliders.slice(shown);
  if (!rest.length) return [node("div", { class: "slides" }, ...sliders)];
  const folded = node("details", { open: unfolded.has(key), ontoggle: () => (folded.open ? unfolded.add(key) : unfolded.delete(key)) },
    node("summary", {}, t("latents.more", { count: rest.length })), node("div", { class: "slides" }, ...rest));
  return [node("div", { class: "slides" }, ...sliders.slice(0, shown)), folded];
}

function reset() {
  moves = { offsets: known.latents.map(() => 0), amounts: known.attributes.map(() => 0) };
  draw();
  send();
}

function draw() {
  const root = element.querySelector(".latents");
  if (!known) return root.replaceChildren(node("p", { class: "hint" }, t("latents.empty")));
  const attributes = known.attributes.map(([name, auc], i) =>
    slider("amounts", i, t(`face.attribute.${name}`), t("latents.separates", { auc: auc.toFixed(2) })));
  const latents = known.latents.map((kl, i) =>
    slider("offsets", i, t("latents.latent", { n: i + 1 }), t("latents.nats", { kl: kl.toFixed(2) }), i >= known.active));
  root.replaceChildren(
    ...(attributes.length ? [node("p", { class: "hint" }, t("latents.attributes")), ...group("attributes", attributes)] : []),
    node("p", { class: "hint" }, t("latents.text")), ...group("latents", latents),
    node("div", { class: "buttons" }, node("button", { type: "button", onclick: reset }, t("latents.reset"))));
  root.dataset.drawn = String(known.latents.length);
}

function receive() {
  if (props.value?.latents) {
    known = props.value;
    const filled = (list, given) => list.map((_, i) => given[i] ?? 0);
    moves = { offsets: filled(known.latents, known.offsets), amounts: filled(known.attributes, known.amounts) };
  }
  draw();
}

onSeen(element, () => { if (!known) trigger("focus"); }); // once known, an answer would undo what is moved meanwhile
watch("value", receive);
onLanguage(draw);
receive();
