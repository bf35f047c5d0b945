// Example photos, one click each; the one that was clicked last is marked.
const { t, node, onLanguage } = window.imagegen;
let chosen = null;

function choose(name) {
  chosen = name;
  draw();
  trigger("select", { name });
}

function draw() {
  element.querySelector(".examples").replaceChildren(...props.value.map(({ name, png }) => {
    const words = t(`example.${name}`);
    return node("button", { type: "button", title: words, "aria-label": words, "aria-pressed": String(name === chosen), onclick: () => choose(name) },
      node("img", { src: png, alt: "" }));
  }));
}

onLanguage(draw);
draw();
