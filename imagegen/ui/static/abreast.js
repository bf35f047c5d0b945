// Pictures that are painted side by side from the same noise.
const { t, node, save, onLanguage } = window.imagegen;

function draw() {
  const root = element.querySelector(".abreast");
  const value = props.value;
  if (!value?.pictures) {
    root.replaceChildren(node("p", { class: "hint" }, t(props.in_turn ? "abreast.strengths" : "abreast.empty")));
    return;
  }
  const done = Boolean(value.links);
  root.replaceChildren(
    done ? "" : node("progress", { max: value.total, value: value.index, "aria-label": t("denoise.progress") }),
    node("div", { class: value.names.length > 2 ? "easels many" : "easels" }, ...value.names.map((name, i) =>
      node("figure", {}, value.pictures[i] ? node("img", { src: value.pictures[i], alt: name }) : "", node("figcaption", {}, name),
        done ? node("button", { type: "button", "aria-label": `${t("download")}: ${name}`, onclick: () => save(value.pictures[i], "picture.png") }, "↓") : ""))));
  root.dataset.done = String(done);
}

watch("value", draw);
onLanguage(draw);
draw();
