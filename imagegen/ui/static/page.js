// What the widgets share: words in the visitor's language, the theme, pictures on canvases, copying and saving.
window.imagegen = (() => {
  const LANGUAGE_KEY = "imagegen_language";
  const THEME_KEY = "imagegen_theme";
  const codes = { en: "en", zh: "zh-CN" };
  const html = document.documentElement;
  const language = () => (html.lang.toLowerCase().startsWith("zh") ? "zh" : "en");

  function t(key, values = {}) {
    const words = window.imagegenWords[language()][key] ?? key;
    return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  // Gradio's own locale switch lives in one of its modules; the page has loaded it already.
  async function setLanguage(chosen) {
    document.cookie = `${LANGUAGE_KEY}=${chosen}; path=/; max-age=31536000; samesite=lax`;
    const module = performance.getEntriesByType("resource")
      .map((entry) => entry.name).find((name) => /\/assets\/core-[^/]+\.js$/.test(name));
    if (module) (await import(module)).changeLocale(codes[chosen]);
    html.lang = codes[chosen];
  }

  function onLanguage(draw) {
    new MutationObserver(draw).observe(html, { attributes: true, attributeFilter: ["lang"] });
  }

  // Gradio leaves in the language of the start the name of a tab that was never opened, in the row or in the menu, and
  // what stands on a button whose run has begun or ended; and over every refusal it says "Error", in English.
  const LEFT = [".tab-container button", ".overflow-dropdown button", 'button[id$="-run"]', 'button[id$="-stop"]'].join();
  const words = Object.values(window.imagegenWords).flatMap((all) => Object.entries(all)
    .filter(([key]) => /(^|\.)(tab|run|stop|face)$/.test(key)));
  const known = new Map(words.map(([key, name]) => [name, key]));
  function nameAnew() {
    for (const button of document.querySelectorAll(LEFT)) {
      for (const text of button.childNodes) {
        const key = text.nodeType === Node.TEXT_NODE && known.get(text.data.trim());
        if (key && text.data.trim() !== t(key)) text.data = text.data.replace(text.data.trim(), t(key));
      }
    }
    for (const title of document.querySelectorAll(".toast-title")) {
      const [, count] = /^Error( \(\d+\))?$/.exec(title.textContent.trim()) ?? [];
      if (title.textContent.trim().startsWith("Error")) title.textContent = t("error.title") + (count ?? "");
    }
  }
  onLanguage(nameAnew);
  new MutationObserver(nameAnew).observe(html, { childList: true, subtree: true });

  // On a phone a result stands above or below its button, out of sight.
  function look(id) {
    const place = document.getElementById(id);
    if (window.innerWidth <= 700 && place) place.scrollIntoView({ block: "start", behavior: "smooth" });
    return [];
  }

  // What a tab has made and hands on is not what it goes on with: that would paint the painting.
  const panelOf = (element) => element.closest("[role=tabpanel]");
  let handed = { panel: null, until: 0 };
  const handOn = (element) => { handed = { panel: panelOf(element), until: Date.now() + 5000 }; };
  window.addEventListener("imagegen-travelled", () => { // before any other listener: this one is the first
    handed = { panel: Date.now() < handed.until ? handed.panel : null, until: 0 };
  });

  // When the element is first looked at; on a tab that was never opened nothing is computed. With `again` when its tab is
  // first opened, and for each picture that travels from then on: at once, or when the tab is next opened.
  function onSeen(element, call, again = false) {
    let [seen, due] = [false, true];
    const look = () => {
      if (!seen || !due) return;
      due = false;
      call();
    };
    new IntersectionObserver((entries, observer) => {
      seen = entries.at(-1).isIntersecting;
      look();
      if (!due && !again) observer.disconnect();
    }, again ? { rootMargin: "9999px" } : {}).observe(element);
    if (again) window.addEventListener("imagegen-travelled", () => {
      if (handed.panel && handed.panel === panelOf(element)) return;
      due = true;
      look();
    });
  }

  // A run that was stopped, here or by what still comes of it, is under way no more.
  document.addEventListener("click", (event) => {
    if (!event.target.closest('button[id$="-stop"]')) return;
    const hide = () => document.querySelectorAll("progress").forEach((bar) => { bar.hidden ||= bar.checkVisibility(); });
    hide();
    setTimeout(hide, 500);
  });

  function setTheme(theme) {
    document.body.classList.toggle("dark", theme === "dark");
    localStorage.setItem(THEME_KEY, theme);
  }

  // The stream by which Gradio's page hears its answers ends with the last of them, and the page opens another when it
  // asks again. What it asks while word of the end is on its way would never be heard: here the stream then goes on.
  // And what is asked twice, as by two quick clicks, is asked in turn, and heard only when the page knows that it has
  // asked: else the second answer could overtake the first.
  const ask = window.fetch;
  const asked = new Map(); // of each event, when what was asked last has arrived
  const asking = new Set(); // what has not
  let unanswered = 0;
  window.fetch = async (...request) => {
    const url = String(request[0].url ?? request[0]);
    if (/\/queue\/join(\?|$)/.test(url)) return join(request);
    const response = await ask(...request);
    return url.includes("/queue/data?") && response.ok ? new Response(answers(response, () => ask(...request))) : response;
  };

  async function join(request) {
    const event = /"fn_index":(\d+)/.exec(request[1]?.body)?.[1];
    const arrives = Promise.resolve(asked.get(event)).then(() => ask(...request))
      .then(async (response) => new Response(await response.text(), response));
    const arrived = arrives.then(({ ok }) => ok, () => false).then((ok) => { if (!ok) unanswered -= 1; });
    const known = arrived.then(() => new Promise((done) => setTimeout(done))).then(() => asking.delete(known));
    asked.set(event, arrived);
    asking.add(known);
    unanswered += 1;
    return arrives;
  }

  function answers(response, again) {
    const open = ({ body }) => body.pipeThrough(new TextDecoderStream()).getReader();
    const encoder = new TextEncoder();
    let [reader, rest, ended] = [open(response), "", false];
    const heard = (message) => {
      if (message.startsWith('data: {"msg":"process_completed"')) unanswered = Math.max(0, unanswered - 1);
      ended = message.startsWith('data: {"msg":"close_stream"');
      return ended && unanswered ? "" : `${message}\n\n`;
    };
    return new ReadableStream({
      async pull(stream) {
        for (let said = ""; !said;) {
          const { value, done } = await reader.read();
          while (asking.size) await Promise.all(asking);
          if (done && !(ended && unanswered)) return stream.close();
          if (done) {
            [reader, ended] = [open(await again()), false];
            continue;
          }
          const messages = (rest + value).split("\n\n");
          rest = messages.pop();
          said = messages.map(heard).join("");
          if (said) stream.enqueue(encoder.encode(said));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
  }

  const cookie = document.cookie.match(new RegExp(`${LANGUAGE_KEY}=(en|zh)`));
  // Gradio knows zh-CN and zh-TW only, and would show English to who asks for zh-HK or plain zh.
  const first = (cookie && cookie[1]) || window.imagegenLanguage || (/^zh/i.test(navigator.language) ? "zh" : null);
  if (first) setLanguage(first);
  const theme = localStorage.getItem(THEME_KEY);
  if (theme) setTheme(theme);

  function node(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // Up to 12 of the whole numbers from 0 to `last`, evenly, with both ends: what a strip shows of a film.
  function spread(last) {
    return [...new Set(Array.from({ length: 12 }, (_, i) => Math.round(i * last / 11)))];
  }

  async function picture(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  }

  // A ruler from generated to real: the band is where nine in ten real digits lie, the pin is this one.
  function ruler(deviations) {
    const place = 50 + 50 * Math.tanh(deviations / 4);
    return node("span", { class: "ruler", role: "img", "aria-label": t("ruler.says", { x: deviations.toFixed(1) }),
      title: t("ruler.says", { x: deviations.toFixed(1) }) },
      node("span", { class: "band" }), node("span", { class: "pin", style: `left:${place}%` }));
  }

  // Two pictures of the same place, images or canvases, with a handle between: mouse, finger and arrow keys move it.
  function compare(before, after, names) {
    const handle = node("input", { type: "range", min: 0, max: 100, step: 1, value: 50, "aria-label": t("compare.label") });
    const root = node("div", { class: "compare" }, before, after, handle, node("span", { class: "divider" }),
      node("span", { class: "name" }, names[0]), node("span", { class: "name" }, names[1]));
    const place = () => root.style.setProperty("--at", `${handle.value}%`);
    handle.addEventListener("input", place);
    place();
    const [width, height] = [before.naturalWidth ?? before.width, before.naturalHeight ?? before.height];
    root.style.setProperty("--ratio", width / height);
    return root;
  }

  // Lines over x, each named at its end, with a cursor: series [{name, points: [[x, y], ...]}].
  function chart(title, series, { cursor = null, xs = [0, 999], ends = xs } = {}) {
    const [W, H, LEFT, RIGHT, TOP, FOOT] = [300, 150, 34, 12, 12, 20];
    const ys = series.flatMap((line) => line.points.map((point) => point[1]));
    const [low, high] = [Math.min(0, ...ys), Math.max(...ys)];
    const x = (value) => LEFT + (W - LEFT - RIGHT) * (value - xs[0]) / (xs[1] - xs[0]);
    const y = (value) => H - FOOT - (H - FOOT - TOP) * (value - low) / (high - low || 1);
    const svg = (tag, attributes, text = "") => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      made.textContent = text;
      return made;
    };
    const short = (value) => (Math.abs(value) < (high - low) / 1000 ? "0" : Number(value.toPrecision(2)).toString());
    const root = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title });
    root.append(
      svg("line", { x1: LEFT, x2: W - RIGHT, y1: y(low), y2: y(low), class: "axis" }),
      svg("text", { x: LEFT - 5, y: y(high) + 4, "text-anchor": "end" }, short(high)),
      svg("text", { x: LEFT - 5, y: y(low) + 4, "text-anchor": "end" }, short(low)),
      svg("text", { x: LEFT, y: H - 5 }, String(ends[0])),
      svg("text", { x: W - RIGHT, y: H - 5, "text-anchor": "end" }, String(ends[1])));
    series.forEach((line, i) => root.append(svg("polyline", {
      points: line.points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" "), class: `line line-${i}` })));
    if (cursor !== null) root.append(svg("line", { x1: x(cursor), x2: x(cursor), y1: TOP - 6, y2: H - FOOT, class: "cursor" }));
    const names = series.length > 1 ? series.map((line, i) => node("span", { class: `key key-${i}` }, line.name)) : [];
    return node("figure", { class: "chart" }, node("figcaption", {}, title, ...names), root);
  }

  // What "Copy link" copies: of the tab that is looked at, what was made there last. A recipe only names the pictures it
  // was made from; where the visit's trip holds them, the trip is the link that opens. A picture made of another one has
  // no other link, and that one only once it was taken along.
  const links = new Map();
  const trips = new Map();
  const setLink = (element, recipe, ofAnother = false) => links.set(panelOf(element), { recipe, ofAnother });
  const setTrip = (recipe, trip) => trips.set(recipe, trip);
  function link() {
    const { recipe, ofAnother } = [...links].find(([panel]) => panel.checkVisibility())?.[1] ?? {};
    if (trips.get(recipe)) return { query: { trip: trips.get(recipe) } };
    if (ofAnother) return { problem: trips.has(recipe) ? "share.none" : "share.first" };
    return { query: recipe ? { recipe } : {} };
  }

  function save(url, name) {
    node("a", { href: url, download: name }).click();
  }

  async function copy(text, button) {
    try {
      await navigator.clipboard.writeText(text); // not there on plain http from another machine
    } catch {
      window.prompt(t("copy.by.hand"), text);
      return;
    }
    tell(button, t("copied"), 1500);
  }

  // On the button itself, for a moment.
  function tell(button, words, milliseconds = 4000) {
    const before = button.dataset.before ?? button.textContent;
    button.dataset.before = before;
    button.textContent = words;
    setTimeout(() => {
      button.textContent = before;
      delete button.dataset.before;
    }, milliseconds);
  }

  return { t, language, setLanguage, onLanguage, onSeen, setTheme, ARROWS, spread, node, picture, ruler, compare, chart, save, copy, tell, setLink, setTrip, link, handOn, look };
})();
