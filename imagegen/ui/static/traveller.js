// The picture that travels: what every tab works on next. A file that was saved here opens its recipe, in its own tab.
const { t, node, save, onLanguage } = window.imagegen;
const RECIPE = /imagegen:recipe="([\w-]+)"/; // in the XMP of PNG and WebP, as a link has it
let refused = false;

async function open(file) {
  if (!file) return;
  const found = new TextDecoder("latin1").decode(await file.arrayBuffer()).match(RECIPE);
  refused = !found;
  if (found) location.search = `?recipe=${found[1]}`;
  else draw();
}

function opener() {
  const chooser = node("input", { type: "file", accept: "image/png,image/webp", hidden: "", onchange: () => open(chooser.files[0]) });
  return [chooser, node("button", { type: "button", class: "opener", title: t("recipe.open.text"), onclick: () => chooser.click() }, t("recipe.open"))];
}

function draw() {
  const root = element.querySelector(".traveller");
  const value = props.value;
  const trouble = refused ? [node("span", { class: "note" }, t("recipe.none"))] : [];
  if (!value) {
    root.replaceChildren(node("span", { class: "empty" }, "?"), node("span", { class: "hint" }, t("traveller.empty")), ...trouble, ...opener());
    return;
  }
  root.replaceChildren(
    node("img", { src: value.png, alt: t("traveller.title") }),
    node("span", {}, node("strong", {}, t("traveller.title")), node("br"),
      node("span", { class: "hint" }, t(value.made ? "traveller.made" : "traveller.brought"))),
    ...trouble, ...opener(),
    node("button", { type: "button", onclick: () => save(value.png, "picture.png") }, t("download")));
}

element.addEventListener("dragover", (event) => event.preventDefault());
element.addEventListener("drop", (event) => {
  event.preventDefault();
  open(event.dataTransfer.files[0]);
});

watch("value", () => {
  refused = false;
  draw();
  window.dispatchEvent(new Event("imagegen-travelled"));
});
onLanguage(draw);
draw();
