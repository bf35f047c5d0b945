// Name, device, language, theme, and a link that opens the page as it stands.
const { t, node, language, setLanguage, setTheme, onLanguage, copy, tell, link } = window.imagegen;

function shareLink(button) {
  const { query, problem } = link();
  if (problem) return tell(button, t(problem));
  const url = new URL(location.pathname, location.origin);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  copy(url.href, button);
}

function draw() {
  const root = element.querySelector(".header");
  const dark = document.body.classList.contains("dark");
  const share = node("button", { type: "button", id: "share", onclick: () => shareLink(share) }, t("share"));
  root.replaceChildren(
    node("div", { class: "brand" }, node("h1", {}, t("title")), node("p", {}, t("tagline"))),
    node("div", { class: "tools" },
      node("span", { class: "chip", title: t("device.hint") }, props.value.device.toUpperCase()),
      node("span", { class: "switch", role: "group", "aria-label": t("language") },
        ...["en", "zh"].map((code) => node("button", {
          type: "button", lang: code, "aria-pressed": String(language() === code), id: `language-${code}`,
          onclick: () => setLanguage(code) }, code === "en" ? "English" : "中文"))),
      node("button", { type: "button", id: "theme", "aria-label": t(dark ? "theme.light" : "theme.dark"),
        onclick: () => { setTheme(dark ? "light" : "dark"); draw(); } }, dark ? "☀" : "☾"),
      share));
}

watch("value", draw);
onLanguage(draw);
draw();
