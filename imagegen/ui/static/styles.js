// Which styles, how much of each, and how strongly: sliders answer while they move, and again when they rest.
const { t, node, onLanguage, onSeen } = window.imagegen;
const { names, most } = props;
const all = ["painting", ...names];
let thumbnails = [];
let strength = 1;
const chosen = new Map(); // name -> weight

function label(name) {
  const words = t(`styles.${name}`);
  return words === `styles.${name}` ? name.replaceAll("-", " ") : words;
}

function tell(event) {
  props.value = { style: [...chosen.keys()], weights: [...chosen.values()], strength };
  trigger(event);
}

function toggle(name) {
  if (chosen.has(name) && chosen.size > 1) chosen.delete(name);
  else if (!chosen.has(name)) {
    if (chosen.size === most) chosen.delete([...chosen.keys()][0]); // the oldest makes room
    chosen.set(name, 1);
  }
  draw();
  tell("release");
}

function slide(words, value, set) {
  const shown = node("output", {}, value.toFixed(2));
  const read = (event) => { set(Number(event.target.value)); shown.textContent = Number(event.target.value).toFixed(2); };
  return node("label", { class: "slide" }, node("span", {}, words), shown,
    node("input", { type: "range", min: 0, max: 1, step: 0.01, value,
      oninput: (event) => { read(event); tell("input"); }, onchange: (event) => { read(event); tell("release"); } }));
}

function draw() {
  const root = element.querySelector(".styles");
  root.replaceChildren(node("p", { class: "hint" }, t("styles.hint", { most })),
    node("div", { class: "thumbs" }, ...all.map((name, i) => node("button", { type: "button", title: label(name), "aria-label": label(name),
      "aria-pressed": String(chosen.has(name)), onclick: () => toggle(name) },
      thumbnails[i] ? node("img", { src: thumbnails[i], alt: "" }) : node("span", { class: "blank" })))),
    node("div", { class: "slides one" },
      ...(chosen.size > 1 ? [...chosen].map(([name, weight]) => slide(label(name), weight, (value) => chosen.set(name, value))) : [node("b", {}, [...chosen.keys()].map(label).join())]),
      slide(t("styles.strength"), strength, (value) => { strength = value; })));
  root.dataset.drawn = String(thumbnails.length);
}

function receive() {
  if (!props.value?.thumbnails) return;
  thumbnails = props.value.thumbnails;
  draw();
  tell("release");
}

chosen.set(all[Math.min(1, all.length - 1)], 1);
onSeen(element, () => trigger("focus"), true);
watch("value", receive);
onLanguage(draw);
draw();
receive(); // a picture may have come before the tab was first opened
