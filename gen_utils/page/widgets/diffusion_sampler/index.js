// A digit grows out of noise, beside the network's guess of it; afterwards a slider leads back through all its states.

import "./style.css";
import { denoisingSteps, labelButtons, standardNoise, stepFrames } from "../../lib/diffusion.js";
import { button, h, setter, slider } from "../../lib/elements.js";
import { imageCanvas } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

function buildDiffusionSampler(view) {
  const { model, graphs } = view;
  const [stills, strongest, numbers] = ["stills", "strongest", "choices"].map((name) => model.get(name));
  const none = model.get("classes").length; // the label that stands for no label
  const settings = ["label", "guidance", "steps", "eta", "seed"];
  const initial = Object.fromEntries(settings.map((name) => [name, model.get(name)]));
  const state = imageCanvas("", 28, 28);
  const guess = imageCanvas("", 28, 28);
  const states = imageCanvas("Stills of the state, from noise to sample", 28, 28, stills);
  const guesses = imageCanvas("Stills of the network’s guess", 28, 28, stills);
  const caption = h("div", { class: "gu-caption" });
  const text = h("p", { class: "gu-hint", role: "status" });
  let frames = []; // of the states so far
  let at = 0; // the one that is shown
  let changes = 0; // of the settings: what was begun before a change stops

  const showState = () => {
    const { picture, guess: guessed, time } = frames[at];
    state.paint(picture);
    guess.paint(guessed);
    caption.textContent = time > 0 ? `state xₜ at t = ${time}` : "x₀: the sample";
    state.element.ariaLabel = time > 0 ? `The state at t = ${time}` : "The sample";
    guess.element.ariaLabel = `The network’s guess of x₀ at t = ${time}`;
    scrub.set(at);
    state.element.dataset.shown = JSON.stringify({ at, of: frames.length - 1, time });
  };
  const showStrips = (steps) => {
    for (const [strip, kind] of [
      [states, "picture"],
      [guesses, "guess"],
    ]) {
      const pictures = new Float32Array(784 * stills); // what is still to come is blank
      for (let i = 0; i < stills; i++) {
        const frame = frames[(i * steps) / (stills - 1)];
        if (frame) pictures.set(frame[kind], 784 * i);
      }
      strip.paint(pictures);
    }
  };
  const showNewest = (steps) => {
    at = frames.length - 1;
    showState();
    showStrips(steps);
  };

  const draw = latest(async () => {
    const [began, change] = [performance.now(), changes];
    const { seed, ...chosen } = Object.fromEntries(settings.map((name) => [name, model.get(name)]));
    const [noise, showStep, found] = [new Noise(seed), stepFrames(view, chosen.steps), []];
    const start = { start: chosen.steps, ...chosen };
    for await (const frame of denoisingSteps(graphs, standardNoise(noise), noise, start)) {
      if (change !== changes) return;
      found.push(frame);
      frames = found;
      await showStep(() => showNewest(chosen.steps));
    }
    if (change !== changes) return;
    const sample = found.at(-1).guess; // where the last step ends
    found.push({ picture: sample, guess: sample, time: 0 });
    showNewest(chosen.steps);
    const note = chosen.label === none ? " Without a label, guidance changes nothing." : "";
    text.textContent = `Drawn in ${chosen.steps} steps.${note}`;
    state.element.dataset.drawn = JSON.stringify({ ...chosen, seed });
    state.element.dataset.took = performance.now() - began;
  });

  // The settings are kept in the model alone: page and Python both change them there.
  const set = setter(model);
  const number = (options) => slider({ ...options, format: (value) => value.toFixed(1), min: 0, step: 0.1 });
  const scrub = slider({
    label: "Step of the trajectory",
    symbol: "<i>x<sub>T</sub></i>",
    end: "<i>x</i><sub>0</sub>",
    min: 0,
    max: initial.steps,
    step: 1,
    value: 0,
    format: (place) => (frames[place] ? `t = ${frames[place].time}` : ""),
    oninput: (place) => {
      at = Math.min(place, frames.length - 1);
      showState();
    },
  });
  const guidance = number({
    label: "Guidance",
    symbol: "guidance <i>ω</i>",
    max: strongest,
    value: initial.guidance,
    oninput: (value) => set({ guidance: value }),
  });
  const eta = number({
    label: "Eta: the share of fresh noise in each step",
    symbol: "noise η",
    max: 1,
    value: initial.eta,
    oninput: (value) => set({ eta: value }),
  });
  const steps = numbers.map((n) =>
    h(
      "button",
      { type: "button", class: "gu-button", "aria-label": `${n} steps`, onclick: () => set({ steps: n }) },
      String(n),
    ),
  );

  const showSettings = () => {
    guidance.set(model.get("guidance"));
    guidance.element.classList.toggle("gu-unused", model.get("label") === none);
    eta.set(model.get("eta"));
    numbers.forEach((n, k) => steps[k].setAttribute("aria-pressed", n === model.get("steps")));
    scrub.element.querySelector("input").max = model.get("steps");
  };
  model.on(settings.map((name) => `change:${name}`).join(" "), () => {
    changes += 1;
    text.textContent = "Drawing …";
    showSettings();
    draw();
  });

  const figure = (image, ...below) => h("div", {}, image.element, ...below);
  const setting = h(
    "div",
    { class: "gu-setting" },
    h("span", { "aria-hidden": "true" }, "steps"),
    h("div", { class: "gu-buttons", role: "group", "aria-label": "Number of steps" }, ...steps),
  );
  const fresh = button("New noise", () => set({ seed: model.get("seed") + 1 }));
  const reset = button("Reset", () => set(initial));
  const element = h(
    "div",
    { class: "gu-columns gu-sampler", style: `--gu-accent: ${model.get("colours").model}` },
    h("div", { class: "gu-wide" }, labelButtons(model)),
    h(
      "div",
      { class: "gu-way", style: `--gu-stills: ${stills}` },
      h(
        "div",
        { class: "gu-pair" },
        figure(state, caption),
        figure(guess, h("div", { class: "gu-caption" }, "the network’s guess of x₀")),
      ),
      h("div", { class: "gu-caption gu-above" }, "the states, and below them the guesses"),
      h("div", { class: "gu-stills" }, states.element, guesses.element),
      scrub.element,
    ),
    h(
      "div",
      { class: "gu-plot" },
      setting,
      guidance.element,
      eta.element,
      h("div", { class: "gu-buttons" }, fresh, reset),
      text,
    ),
  );
  showSettings();
  return { element, first: draw };
}

export default widget(buildDiffusionSampler);
