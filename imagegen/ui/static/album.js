// The pictures of this visit, newest first: each can travel again, be saved with its recipe or open its tab; and the
// whole trip as one link. They are kept by the browser until it is closed, for opening a recipe loads the page anew.
const { t, node, save, copy, setTrip, onLanguage } = window.imagegen;
const KEY = "imagegen_album";
const MOST = 24;
const RECIPE = /imagegen:recipe="([\w-]+)"/;
const NOW = "imagegen_travelling"; // the id of the one that travels
let entries = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
let trip = null;
let open = false;

function remember() {
  for (; entries.length; entries.pop()) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(entries));
      return;
    } catch { /* no more room: the oldest goes */ }
  }
}

function take(value) {
  if (!value?.id) return;
  sessionStorage.setItem(NOW, value.id);
  trip = value.trip ? { link: value.trip, stops: value.stops } : null;
  if (value.recipe && !value.opens) setTrip(value.recipe, value.ends ? value.trip : null);
  if (!entries.some((entry) => entry.id === value.id)) {
    entries = [{ id: value.id, png: value.png, task: value.task, opens: value.opens }, ...entries].slice(0, MOST);
    remember();
  }
  draw();
}

const recipe = (entry) => atob(entry.png.slice(entry.png.indexOf(",") + 1)).match(RECIPE)?.[1];
const label = (entry) => t(entry.task ? `made.${entry.task}` : "made.brought");

function figure(entry) {
  const link = entry.opens && recipe(entry);
  return node("figure", {},
    node("button", { type: "button", class: "take", title: t("album.take"), "aria-label": `${label(entry)}: ${t("album.take")}`,
      onclick: () => trigger("select", { png: entry.png }) }, node("img", { src: entry.png, alt: "" })),
    node("figcaption", {}, label(entry)),
    node("div", {},
      node("button", { type: "button", onclick: () => save(entry.png, entry.png.startsWith("data:image/png") ? "picture.png" : "picture.jpg") }, t("download")),
      link ? node("button", { type: "button", onclick: () => { location.search = `?recipe=${link}`; } }, t("album.open")) : ""));
}

function tripLink() {
  const url = new URL(location.pathname, location.origin);
  url.searchParams.set("trip", trip.link);
  return url.href;
}

function draw() {
  const root = element.querySelector(".album");
  if (!entries.length) {
    root.replaceChildren();
    return;
  }
  const share = node("button", { type: "button", id: "trip-share", onclick: () => copy(tripLink(), share) }, t("album.share"));
  const told = trip ? t(trip.stops === 1 ? "album.trip.one" : "album.trip", { stops: trip.stops }) : t("album.trip.none");
  root.replaceChildren(node("details", open ? { open: "", ontoggle } : { ontoggle },
    node("summary", {}, node("span", {}, t("album.title", { count: entries.length })),
      ...entries.slice(0, 8).map((entry) => node("img", { src: entry.png, alt: "" }))),
    node("div", { class: "figures" }, ...entries.map(figure)),
    node("div", { class: "share" }, trip ? share : "", node("span", { class: "hint" }, told))));
}

function ontoggle(event) {
  open = event.target.open;
}

watch("value", () => take(props.value));
onLanguage(draw);
draw();

// After a reload the picture travels on, but not onto a page whose link brings pictures of its own.
const before = !location.search && entries.find((entry) => entry.id === sessionStorage.getItem(NOW));
if (before) trigger("select", { png: before.png });
