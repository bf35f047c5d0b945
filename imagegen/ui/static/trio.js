// Generators side by side from one seed, what their cards say, and what each had learned after the same minutes.
const { t, node, onLanguage, onSeen } = window.imagegen;
let columns = null; // the newest sheets
let then = null; // what each had learned at one minute

const slider = node("input", { type: "range", min: 0, max: 1, step: 0.02, value: 1, oninput: () => {
  props.value = { share: Number(slider.value) };
  trigger("input");
} });
const minute = node("span");
const sheets = node("div", { class: "then" });

function row(label, cells) {
  return node("tr", {}, node("th", { scope: "row" }, label), ...cells.map((cell) => node("td", {}, cell)));
}

function table() {
  const figure = (key) => columns.map(({ figures }) => (key in figures ? String(Number(figures[key].toPrecision(4))) : "–"));
  const measured = ["FID", "IS", "precision", "recall", "read as asked"].filter((key) => columns.some(({ figures }) => key in figures));
  return node("table", {},
    node("tr", {}, node("td"), ...columns.map(({ name }) => node("th", { scope: "col" }, t(`run.${name}`)))),
    row(t("trio.trained"), columns.map(({ minutes, device }) => (minutes ? t("trio.minutes", { minutes, device }) : "–"))),
    ...measured.map((key) => row(t(`trio.${key}`), figure(key))));
}

const abreast = (figures) => node("div", { class: "row-of", style: `--columns: ${columns.length}` }, ...figures);

// Apart from the rest: the slider must stay where it is while it is dragged.
function compare() {
  if (!then) return;
  slider.setAttribute("aria-label", t("trio.same"));
  minute.replaceChildren(t("trio.same"), " ", node("b", {}, t("trio.minute", { minute: then.minute })));
  sheets.replaceChildren(abreast(then.moments.map(({ picture, step, minutes }, i) =>
    node("figure", {}, node("img", { src: picture, alt: t(`run.${columns[i].name}`) }), node("figcaption", {}, t("lapse.step", { step, minutes }))))));
  element.querySelector(".trio").dataset.minute = String(then.minute);
}

function draw() {
  const root = element.querySelector(".trio");
  if (!columns) return root.replaceChildren(node("p", { class: "hint" }, t("lapse.coming")));
  root.replaceChildren(
    abreast(columns.map(({ name, png }) => node("figure", {}, node("img", { src: png, alt: t(`run.${name}`) }),
      node("figcaption", {}, node("b", {}, t(`run.${name}`)), " ", t(`run.${name}.text`))))),
    table(), ...(then ? [node("label", { class: "same" }, minute, slider), sheets] : []));
  compare();
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
}

function receive() {
  const value = props.value;
  if (value?.moments) then = value;
  if (value?.columns) {
    columns = value.columns;
    slider.value = 1;
    draw();
  } else if (value?.moments) compare();
}

onSeen(element, () => trigger("focus"));
watch("value", receive);
onLanguage(draw);
draw();
