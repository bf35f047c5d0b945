// A training as a time-lapse: the sheet of one moment, a slider through all of them, and the losses with a cursor.
const { t, node, chart, onLanguage, onSeen } = window.imagegen;
const PAUSE = 120; // milliseconds between two moments that play
let training = null; // the one that is shown: its steps and curves
let shown = null; // the moment of it that has come
let playing = false;

const image = node("img");
const when = node("span", { class: "hint" });
const charts = node("div", { class: "charts" });
const slider = node("input", { type: "range", min: 0, step: 1, oninput: () => { playing = false; ask(Number(slider.value)); } });
const play = node("button", { type: "button", onclick: () => {
  playing = !playing;
  if (playing) ask(shown.at === training.steps.length - 1 ? 0 : shown.at + 1);
  name();
} });
const stage = node("div", { class: "moment" }, node("figure", {}, image, when), node("div", { class: "row" }, play, slider), charts);

function ask(at) {
  slider.value = at;
  props.value = { at };
  trigger("input");
}

function name() {
  play.textContent = t(playing ? "lapse.pause" : "lapse.play");
  slider.setAttribute("aria-label", t("lapse.when"));
  when.textContent = t("lapse.step", { step: shown.step, minutes: shown.minutes });
  image.alt = when.textContent;
  const ends = [0, training.steps.at(-1)];
  charts.replaceChildren(...Object.entries(training.curves).map(([key, points]) =>
    chart(t(`lapse.curve.${key}`), [{ name: key, points }], { xs: ends, cursor: shown.step })));
}

function draw() {
  const root = element.querySelector(".lapse");
  if (!training) return root.replaceChildren(node("p", { class: "hint" }, t("lapse.coming")));
  if (!training.steps.length) return root.replaceChildren(node("p", { class: "hint" }, t("lapse.none")));
  if (!stage.isConnected) root.replaceChildren(stage);
  image.src = shown.picture;
  name();
  root.dataset.drawn = `${training.run} ${shown.step}`;
}

function receive() {
  const value = props.value;
  if (!value?.run) return;
  if (value.steps) {
    training = value;
    playing = false;
    slider.max = Math.max(0, value.steps.length - 1);
    slider.value = slider.max;
  } else if (value.run !== training.run) return; // another training was chosen meanwhile
  shown = value;
  draw();
  if (!playing) return;
  if (shown.at === training.steps.length - 1) {
    playing = false;
    name();
  } else setTimeout(() => playing && ask(shown.at + 1), PAUSE);
}

onSeen(element, () => trigger("focus"));
watch("value", receive);
onLanguage(draw);
draw();
