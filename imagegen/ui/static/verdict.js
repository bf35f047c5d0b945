// Two judges of the current picture: the critic on its ruler, the classifier as ten bars.
const { t, node, ruler, onLanguage, onSeen } = window.imagegen;

function draw() {
  const root = element.querySelector(".verdict");
  const value = props.value;
  if (!value) {
    root.replaceChildren(node("p", { class: "hint" }, t("verdict.empty")));
    return;
  }
  const best = value.reading.indexOf(Math.max(...value.reading));
  const word = value.realness > -2 ? "verdict.real" : value.realness > -6 ? "verdict.odd" : "verdict.fake";
  root.replaceChildren(
    node("img", { src: value.png, alt: t("verdict.seen") }),
    node("div", { class: "judges" },
      node("strong", {}, t("verdict.critic")),
      ruler(value.realness),
      node("span", { class: "hint" }, t(word, { digit: value.digit, x: value.realness.toFixed(1) })),
      node("strong", {}, t("verdict.classifier", { digit: best, p: (100 * value.reading[best]).toFixed(1) })),
      node("div", { class: "bars" }, ...value.reading.map((p, digit) =>
        node("span", { class: digit === best ? "bar best" : "bar", title: `${digit}: ${(100 * p).toFixed(1)} %` },
          node("span", { class: "fill", style: `height:${Math.max(2, 100 * p)}%` }), node("b", {}, String(digit)))))));
}

onSeen(element, () => trigger("focus"), true);
watch("value", draw);
onLanguage(draw);
draw();
