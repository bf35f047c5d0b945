// Before and after: two files, as { before: url, after: url }, with a handle between them.
const { t, node, picture, compare, onLanguage } = window.imagegen;
let at = null; // where the handle stood, as other pictures come

async function draw() {
  const root = element.querySelector(".before-after");
  const value = props.value;
  if (!value) return root.replaceChildren();
  const images = await Promise.all([value.before, value.after].map(picture));
  if (value !== props.value) return; // newer ones have come meanwhile
  const names = [t("compare.before"), t("compare.after")];
  images.forEach((image, i) => { image.alt = names[i]; });
  const made = compare(...images, names);
  const handle = made.querySelector("input");
  handle.addEventListener("input", () => { at = handle.value; });
  if (at !== null) {
    handle.value = at;
    handle.dispatchEvent(new Event("input"));
  }
  root.replaceChildren(made);
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
}

watch("value", draw);
onLanguage(draw);
draw();
