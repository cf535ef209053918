// Draw a digit: how real the discriminator finds it as each label, beside a real image and a generated one.

import "./style.css";
import { drawingPad } from "../../lib/drawing_pad.js";
import { button, h, reserve } from "../../lib/elements.js";
import { imageBytes, imageCanvas, isBlank } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { widget } from "../../lib/widget.js";

const DRAWING = "your drawing";

function buildOpinion(view) {
  const { model, graphs } = view;
  const classes = model.get("classes");
  const examples = Object.fromEntries(model.get("examples").map(([kind, text]) => [kind, imageBytes(text)]));
  const last = {}; // the number of the example of each kind that was shown last
  const text = h("p", { class: "gu-hint", role: "status" });
  const bars = probabilityBars(classes, model.get("colours").decision);
  const compared = Object.fromEntries([...Object.keys(examples), DRAWING].map((kind) => [kind, comparedImage(kind)]));

  const compare = async (kind, x) => {
    const { p } = await graphs.run("discriminator", { x });
    const best = p.data.indexOf(Math.max(...p.data));
    const opinion = { best: classes[best], value: p.data[best].toFixed(2), blank: isBlank(x.data) };
    compared[kind].set(x.data, opinion.blank ? "" : `${opinion.best}: ${opinion.value}`);
    return { p: p.data, ...opinion };
  };
  // The examples go to the discriminator as they are; what is drawn is first prepared as MNIST was.
  const discriminate = latest(async (kind) => {
    const began = performance.now();
    const x = kind === DRAWING ? (await graphs.run("prepare", { ink: pad.ink() })).x : example(kind, last[kind]);
    const { p, best, value, blank } = await compare(kind, x);
    Object.entries(compared).forEach(([other, { element }]) =>
      element.classList.toggle("gu-current", other === kind),
    );
    bars.set(p);
    text.textContent = blank ? "Nothing is drawn." : opinionOf(kind, best, value);
    bars.element.dataset.shown = JSON.stringify({ kind, p: Array.from(p) });
    bars.element.dataset.ms = performance.now() - began;
  });

  const bytes = (kind, k) => examples[kind].subarray(784 * k, 784 * (k + 1));
  const example = (kind, k) => ({
    data: Float32Array.from(bytes(kind, k), (byte) => byte / 255),
    dims: [1, 1, 28, 28],
  });
  const show = (kind, k) => {
    last[kind] = k;
    pad.setImage(bytes(kind, k));
    return discriminate(kind);
  };
  const showNext = (kind) => show(kind, kind in last ? (last[kind] + 1) % (examples[kind].length / 784) : 0);
  const pad = drawingPad({ label: "Drawing pad", onchange: () => discriminate(DRAWING) });
  pad.buttons.prepend(...Object.keys(examples).map((kind) => button(`A ${kind} one`, () => showNext(kind))));
  model.on("change:kind", () => showNext(model.get("kind")));

  const element = h(
    "div",
    { class: "gu-columns", style: `--gu-accent: ${model.get("colours").decision}` },
    pad.element,
    h(
      "div",
      { class: "gu-pad gu-opinion" },
      h(
        "div",
        { class: "gu-compared", role: "group", "aria-label": "Most real as" },
        ...Object.values(compared).map((each) => each.element),
      ),
      reserve(text, ...Object.keys(compared).flatMap((kind) => classes.map((name) => opinionOf(kind, name, "0.88")))),
      bars.element,
      h(
        "div",
        { class: "gu-caption" },
        "Probability that it is a real example of each label; the line is ½. They need not sum to 1.",
      ),
    ),
  );
  const first = async () => {
    for (const kind of Object.keys(examples)) await compare(kind, example(kind, 0));
    await showNext(model.get("kind"));
  };
  return { element, first };
}

const opinionOf = (kind, label, p) =>
  `${kind === DRAWING ? "Your drawing" : `The ${kind} one`} is most real as ${label}: ${p}.`;

// A picture with its kind above and the discriminator's opinion below.
function comparedImage(kind) {
  const image = imageCanvas(`The discriminator sees: ${kind}`, 28, 28);
  const opinion = h("b");
  image.paint(new Float32Array(784));
  const element = h("div", { class: "gu-compare" }, kind, image.element, opinion);
  const set = (x, text) => {
    image.paint(x);
    opinion.textContent = text;
  };
  return { element, set };
}

// A bar from 0 to 1 for every label, one under the other, with its number.
function probabilityBars(classes, colour) {
  const bars = classes.map(() => h("span", { class: "gu-bar", style: `background: ${colour}` }));
  const values = classes.map(() => h("span", { class: "gu-value" }));
  const rows = classes.map((name, label) => [
    h("span", {}, name),
    h("span", { class: "gu-track", "aria-hidden": "true" }, bars[label]),
    values[label],
  ]);
  const element = h(
    "div",
    { class: "gu-probabilities", role: "list", "aria-label": "Probability of being real as each label" },
    ...rows.map((row) => h("div", { role: "listitem" }, ...row)),
  );
  const set = (p) =>
    bars.forEach((bar, label) => {
      bar.style.width = `${100 * p[label]}%`;
      values[label].textContent = p[label].toFixed(2);
    });
  return { element, set };
}

export default widget(buildOpinion);
