// The photo before and the painting after: small while a slider moves, whole once it rests, large when asked.
const { t, node, picture, compare, save, onLanguage, setLink, handOn } = window.imagegen;
let value = null; // the last whole one
let images = null; // before, after
let handle = 50;

function show() {
  const root = element.querySelector(".painted");
  if (!images) return root.replaceChildren(node("p", { class: "hint" }, t("painted.empty")));
  const words = [t("compare.before"), t("compare.after")];
  images.forEach((image, i) => { image.alt = words[i]; });
  const made = compare(...images, words);
  const slider = made.querySelector("input");
  slider.addEventListener("input", () => { handle = slider.value; });
  slider.value = handle;
  slider.dispatchEvent(new Event("input"));
  root.replaceChildren(made, node("div", { class: "row" },
    node("span", { class: "hint" }, t("painted.took", { size: value.size, seconds: value.seconds.toFixed(2) })),
    node("div", { class: "buttons" },
      node("button", { type: "button", onclick: () => { handOn(element); trigger("select"); } }, t("take")),
      node("button", { type: "button", onclick: () => save(value.after, "result.png") }, t("download")))));
}

async function draw() {
  const news = props.value;
  const root = element.querySelector(".painted");
  if (!news) return show();
  if (news.index) {
    const bar = root.querySelector("progress") ?? node("progress", { max: news.total, "aria-label": t("painted.progress") });
    bar.value = news.index;
    bar.hidden = false;
    if (!bar.isConnected) root.append(bar);
    return;
  }
  if (!news.before && !images) return;
  const loaded = await Promise.all([news.before, news.after].map((url) => (url ? picture(url) : null)));
  if (news !== props.value) return; // a newer one has come meanwhile
  images = [loaded[0] ?? images[0], loaded[1]];
  if (news.before) {
    value = news;
    setLink(element, news.link, true);
  }
  show();
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
  root.dataset.whole = String(Boolean(news.before));
}

watch("value", draw);
onLanguage(show);
show();
