// For people who know nothing yet: one click opens a tab at the place where its first picture is made.
const { t, node, onLanguage } = window.imagegen;
const KEY = "imagegen_start";
const OWN = { edit: "#face-run", style: "#style-examples button", sr: "#sr-examples button" }; // where a digit would not do
const FIRST = { gan: "#pad", vae: "#plane", diff: "#denoise", words: "#painting", edit: "#brush", style: "#styles", sr: "#enlarge" };

async function go(key) {
  trigger("select", { tab: key });
  for (let tries = 0; tries < 40; tries += 1) { // a tab's parts are there soon after it is opened
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    const place = document.querySelector(FIRST[key]);
    if (place?.checkVisibility()) {
      if (document.querySelector(".traveller img")) document.querySelector(OWN[key])?.click();
      place.scrollIntoView({ block: "center", behavior: "smooth" });
      return;
    }
  }
}

function close() {
  localStorage.setItem(KEY, "closed");
  draw();
}

function draw() {
  const root = element.querySelector(".start");
  if (localStorage.getItem(KEY) || location.search) {
    root.replaceChildren();
    return;
  }
  root.replaceChildren(
    node("p", {}, node("strong", {}, t("start.title")), " ", t("start.text")),
    node("div", { class: "ways-in" }, ...Object.keys(FIRST).map((key) =>
      node("button", { type: "button", "data-way": key, onclick: () => go(key) }, t(`start.${key}`)))),
    node("button", { type: "button", class: "close", "aria-label": t("start.close"), title: t("start.close"), onclick: close }, "×"));
}

onLanguage(draw);
draw();
