// A walk between two codes: the newest frame while it runs, then the whole walk as a looping animation.
const { t, node, ruler, save, onLanguage } = window.imagegen;

function draw() {
  const root = element.querySelector(".film");
  const value = props.value;
  if (!value) {
    root.replaceChildren(node("p", { class: "hint" }, t("film.empty")));
    return;
  }
  const done = value.animation;
  root.replaceChildren(
    node("img", { src: done ?? value.frame, alt: t("film.frame", { n: value.index, total: value.total }) }),
    node("div", { class: "about" },
      node("progress", { max: value.total, value: value.index, "aria-label": t("film.progress") }),
      node("span", { class: "hint" }, t("film.frame", { n: value.index, total: value.total })),
      ruler(value.realness),
      done ? node("button", { type: "button", onclick: () => save(done, "walk.webp") }, t("film.save")) : ""));
}

watch("value", draw);
onLanguage(draw);
draw();
