// A walk through the latent space of a generator, from one draw of z to another, under a label of the reader's choice.

import "./style.css";
import { button, h, setter, slider } from "../../lib/elements.js";
import { scalar } from "../../lib/graphs.js";
import { imageCanvas } from "../../lib/images.js";
import { labelChoices } from "../../lib/label_choices.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

const SMOOTH = { stride: 0.01, wait: 40 }; // how far a step goes, and the milliseconds until the next one
const STEPWISE = { stride: 0.1, wait: 500 }; // for readers who prefer no motion

function buildLatentWalk(view) {
  const { model, graphs } = view;
  const [classes, K, stills] = ["classes", "latent_dim", "stills"].map((name) => model.get(name));
  const initial = { seed: model.get("seed"), label: model.get("label"), step: model.get("step") };
  const prefersStills = matchMedia("(prefers-reduced-motion: reduce)");
  const large = imageCanvas("", 28, 28);
  const caption = h("div", { class: "gu-caption" });
  const strip = imageCanvas("", 28, 28, stills);
  const text = h("p", { class: "gu-hint", role: "status" });
  const choices = labelChoices(model, "The same point under every label", (name) => `The same point as ${name}`);
  let way = { seed: null }; // its two ends, and x at every still, of all labels
  let pictures = null; // of the point shown, one for each label

  const pictured = (x) => classes.map((_, label) => x.data.subarray(784 * label, 784 * (label + 1)));
  const at = async ({ z0, z1 }, step) => pictured((await graphs.run("walk", { z0, z1, step: scalar(step) })).x);
  const newWay = async (seed) => {
    const noise = new Noise(seed);
    const [z0, z1] = [0, 1].map(() => ({ data: noise.normal(K), dims: [1, K] }));
    const along = [];
    for (let i = 0; i < stills; i++) along.push(await at({ z0, z1 }, i / (stills - 1)));
    return { seed, z0, z1, along };
  };

  let [shown, walking, heading] = [initial.step, null, 1];
  const showChosen = () => {
    const label = model.get("label");
    const name = classes.length > 1 ? `label ${classes[label]}` : classes[label];
    choices.show();
    large.paint(pictures[label]);
    strip.paint(Float32Array.from(way.along.flatMap((each) => Array.from(each[label]))));
    caption.textContent = `${name}, ${shown.toFixed(2)} of the way`;
    large.element.ariaLabel = `What the generator makes of the point ${shown.toFixed(2)} of the way from z0 to z1: ${name}`;
    strip.element.ariaLabel = `${stills} stills of the whole way from z0 to z1: ${name}`;
  };
  const showHint = () => {
    walk.textContent = walking === null ? "Walk" : "Stop";
    text.textContent =
      walking === null
        ? `z₀ and z₁ are two draws of z, with seed ${model.get("seed")}.`
        : "Walking to z₁, and back to z₀.";
  };
  const draw = latest(async () => {
    const began = performance.now();
    const [seed, step] = [model.get("seed"), model.get("step")];
    if (seed !== way.seed) way = await newWay(seed);
    pictures = await at(way, step);
    shown = step;
    choices.paint(pictures);
    showChosen();
    large.element.dataset.shown = JSON.stringify({ seed, step });
    large.element.dataset.ms = performance.now() - began;
  });

  const set = setter(model);
  view.onEnd(() => clearTimeout(walking));
  const halt = () => {
    clearTimeout(walking);
    walking = null;
    showHint();
  };
  const next = () => {
    const { stride, wait } = prefersStills.matches ? STEPWISE : SMOOTH;
    const step = Math.max(0, Math.min(1, Math.round(100 * (model.get("step") + heading * stride)) / 100));
    set({ step });
    if (step === 0) return halt();
    if (step === 1) heading = -1;
    walking = setTimeout(next, wait);
  };
  const walk = button(
    "Walk",
    () => {
      if (walking !== null) return halt();
      heading = model.get("step") < 1 ? 1 : -1;
      walking = setTimeout(next);
      showHint();
    },
    "Stop",
  );
  const halted = (values) => {
    halt();
    set(values);
  };
  const along = slider({
    label: "How far from z0 to z1",
    symbol: "<i>z</i><sub>0</sub>",
    end: "<i>z</i><sub>1</sub>",
    format: (value) => value.toFixed(2),
    min: 0,
    max: 1,
    step: 0.01,
    value: initial.step,
    oninput: (step) => halted({ step }),
  });
  // The state is kept in the model alone: slider, walk and Python all change it there.
  model.on("change:step", () => {
    along.set(model.get("step"));
    draw();
  });
  model.on("change:seed", () => {
    showHint();
    draw();
  });
  model.on("change:label", showChosen);

  const fresh = button("New ends", () => halted({ seed: model.get("seed") + 1 }));
  const reset = button("Reset", () => halted(initial));
  const element = h(
    "div",
    { class: "gu-columns" },
    h("div", { class: "gu-picture" }, large.element, caption),
    h(
      "div",
      { class: "gu-way", style: `--gu-stills: ${stills}` },
      strip.element,
      along.element,
      h("div", { class: "gu-buttons" }, walk, fresh, reset),
      text,
    ),
  );
  if (classes.length > 1) element.append(choices.element);
  showHint();
  return { element, first: draw };
}

export default widget(buildLatentWalk);
