// A picture through the code: its copy, ten samples of q(z | x), the ELBO in its parts, and what each latent costs.
const { t, node, onLanguage, onSeen } = window.imagegen;

// The map shows where the picture lies; it belongs to another widget.
function tell(place) {
  window.imagegen.place = place;
  window.dispatchEvent(new Event("imagegen-place"));
}

const minus = (number, digits = 2) => number.toFixed(digits).replace("-", "−");

function part(name, nats, text) {
  return node("div", { class: "part" }, node("span", {}, name), node("b", {}, minus(nats)), node("span", { class: "hint" }, text));
}

// In words where the picture lies on the VAE's map.
function where({ mu, sigma }) {
  return node("span", { class: "hint" }, t("encoding.place", { mu: mu.map((x) => minus(x)).join(", "), sigma: sigma.map((x) => minus(x, 3)).join(", ") }));
}

function elbo({ log_likelihood, kl, model, place }) {
  return node("div", { class: "elbo" },
    part("E[log p(x | z)]", log_likelihood, t(model === "vae-celeba" ? "encoding.density" : "encoding.likelihood")),
    part("KL(q(z | x) ‖ N(0, 1))", kl, t("encoding.kl")),
    node("div", { class: "formula" }, node("span", {}, `ELBO = ${minus(log_likelihood)} − ${minus(kl)}`),
      node("b", {}, `= ${minus(log_likelihood - kl)} ${t("encoding.nats")}`)),
    place ? where(place) : "");
}

function bars({ bars: costs, active }) {
  const most = Math.max(...costs, 0.01);
  return node("figure", { class: "costs" },
    node("figcaption", {}, t("encoding.bars", { active, total: costs.length })),
    node("div", { class: costs.length > 40 ? "stems dense" : "stems" }, ...costs.map((nats, i) =>
      node("span", { class: i < active ? "" : "dead", style: `height:${Math.max(1.5, 100 * nats / most)}%`,
        title: t(i < active ? "encoding.bar" : "encoding.dead", { n: i + 1, nats: nats.toFixed(2) }) }))));
}

function draw() {
  const root = element.querySelector(".encoding");
  const value = props.value;
  if (!value) return root.replaceChildren(node("p", { class: "hint" }, t("encoding.empty")));
  const smooth = value.model === "vae-celeba" ? "smooth" : "";
  root.replaceChildren(
    node("div", { class: "through" },
      node("figure", {}, node("img", { src: value.picture, class: smooth, alt: t("encoding.picture") }), node("figcaption", {}, node("b", {}, "x"), " ", t("encoding.picture"))),
      node("span", { class: "arrow", "aria-hidden": "true" }, "→"),
      node("figure", {}, node("img", { src: value.copy, class: smooth, alt: t("encoding.copy") }), node("figcaption", {}, node("b", {}, "μ"), " ", t("encoding.copy"))),
      elbo(value)),
    node("figure", { class: "samples" }, node("figcaption", {}, t("encoding.samples")),
      node("div", { class: "ten" }, ...value.samples.map((url, i) => node("img", { src: url, class: smooth, alt: t("encoding.sample", { n: i + 1 }) })))),
    bars(value));
  root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
}

function receive() {
  if (props.value) tell(props.value.place);
  draw();
}

onSeen(element, () => trigger("focus"), true);
watch("value", receive);
onLanguage(draw);
receive();
