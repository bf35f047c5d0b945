// A sheet of digits: each a button with the critic's ruler under it; the chosen one is shown large below.
const { t, node, picture, ruler, save, onLanguage, setLink } = window.imagegen;
const SIDE = 28;
let cells = [];
let full = null;

function cell(index) {
  const canvas = node("canvas", { width: SIDE, height: SIDE });
  const foot = node("span", { class: "foot" });
  const button = node("button", { type: "button", class: "cell", onclick: () => trigger("select", { index }) }, canvas, foot);
  return { canvas, foot, button };
}

// A moved digit comes alone: it replaces its place in the sheet that is shown.
function patched(patch) {
  const put = (list, entry) => Object.assign([...list], { [patch.chosen]: entry });
  const { chosen, picture, link } = patch;
  return { ...full, chosen, picture, link, reads: put(full.reads, patch.reads), realness: put(full.realness, patch.realness) };
}

async function draw() {
  const root = element.querySelector(".sheet");
  if (!props.value || !root) return;
  const value = full = props.value.patch ? patched(props.value) : props.value;
  const [sheet, moved] = await Promise.all([picture(value.png), value.picture && picture(value.picture)]);
  if (value !== full) return; // a newer one has come meanwhile
  setLink(element, value.link);
  while (cells.length < value.labels.length) cells.push(cell(cells.length));
  cells.length = value.labels.length;
  cells.forEach(({ canvas, foot, button }, i) => {
    const [x, y] = [i % value.columns, Math.floor(i / value.columns)];
    canvas.getContext("2d").drawImage(sheet, x * SIDE, y * SIDE, SIDE, SIDE, 0, 0, SIDE, SIDE);
    foot.replaceChildren(ruler(value.realness[i]));
    button.setAttribute("aria-pressed", String(value.chosen === i));
    button.title = t("sheet.cell", { n: i + 1, label: value.labels[i], read: value.reads[i] });
    button.setAttribute("aria-label", button.title);
    button.classList.toggle("misread", value.labels[i] !== value.reads[i]);
  });
  if (moved) cells[value.chosen].canvas.getContext("2d").drawImage(moved, 0, 0);
  root.replaceChildren(legend(), node("div", { class: "cells" }, ...cells.map((c) => c.button)), tray(value));
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
}

function legend() {
  return node("div", { class: "legend" }, node("span", {}, t("ruler.fake")),
    node("span", { class: "ruler wide" }, node("span", { class: "band" })), node("span", {}, t("ruler.real")));
}

function tray(value) {
  const download = node("button", { type: "button", onclick: () => save(value.picture ?? value.png,
    value.chosen === null ? "digits.png" : "digit.png") }, t(value.chosen === null ? "sheet.save" : "sheet.save.one"));
  if (value.chosen === null) return node("div", { class: "tray" }, node("span", { class: "hint" }, t("sheet.hint")), download);
  const i = value.chosen;
  const large = node("img", { src: value.picture, alt: t("sheet.cell", { n: i + 1, label: value.labels[i], read: value.reads[i] }) });
  return node("div", { class: "tray" }, large, node("div", { class: "about" },
    node("strong", {}, t("sheet.chosen", { n: i + 1 })), node("span", { class: "hint" }, t("sheet.chosen.hint")),
    ruler(value.realness[i]), download));
}

watch("value", draw);
onLanguage(draw);
draw();
