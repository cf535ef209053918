// Draw a digit: it is noised to the step that the slider says, and the model denoises it from there.

import "./style.css";
import { denoisingSteps, imageTensor, labelButtons, standardNoise, stepFrames } from "../../lib/diffusion.js";
import { drawingPad } from "../../lib/drawing_pad.js";
import { button, h, setter, slider } from "../../lib/elements.js";
import { scalar } from "../../lib/graphs.js";
import { imageBytes, imageCanvas, isBlank } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

function buildNoisyDrawing(view) {
  const { model, graphs } = view;
  const times = model.get("times");
  const steps = times.length - 1;
  const none = model.get("classes").length; // the label that stands for no label
  const clean = imageCanvas("Your drawing, prepared as MNIST was", 28, 28);
  const noisy = imageCanvas("Your drawing with noise", 28, 28);
  const denoised = imageCanvas("What the model makes of it", 28, 28);
  const [noisyCaption, denoisedCaption] = [h("div", { class: "gu-caption" }), h("div", { class: "gu-caption" })];
  const text = h("p", { class: "gu-hint", role: "status" });
  let x = imageTensor(new Float32Array(784)); // prepared
  let changes = 0; // of drawing or settings: what was begun before a change stops

  const draw = latest(async () => {
    const [began, change] = [performance.now(), changes];
    const { start, label, seed } = settings();
    const noise = new Noise(seed);
    const found = await graphs.run("noise", {
      x,
      noise: standardNoise(noise),
      i: scalar(start),
      steps: scalar(steps),
    });
    const [signal, spread] = Array.from(found.weights.data, (weight) => weight.toFixed(2));
    clean.paint(x.data);
    noisy.paint(found.picture.data);
    noisyCaption.textContent = `xₜ: noised to t = ${times[start]}`;
    text.textContent = isBlank(x.data) ? "Nothing is drawn." : `xₜ = ${signal} x₀ + ${spread} ε`;
    noisy.element.dataset.ms = performance.now() - began;
    denoised.element.dataset.shown = "";

    denoisedCaption.textContent = "denoising …";
    let sample;
    const showStep = stepFrames(view, start);
    const chosen = { steps, label, guidance: model.get("guidance"), eta: 0 };
    for await (const { picture, guess } of denoisingSteps(graphs, found.x_t, noise, { start, ...chosen })) {
      if (change !== changes) return;
      await showStep(() => denoised.paint(picture));
      sample = guess; // where the last step ends
    }
    if (change !== changes) return;
    denoised.paint(sample);
    denoisedCaption.textContent =
      label === none ? "denoised, no label" : `denoised as ${model.get("classes")[label]}`;
    denoised.element.dataset.shown = JSON.stringify({ start, label, seed });
    denoised.element.dataset.took = performance.now() - began;
  });
  const restart = () => {
    changes += 1;
    drawn = draw();
  };
  const prepare = latest(async () => {
    ({ x } = await graphs.run("prepare", { ink: pad.ink() }));
    restart();
  });
  const drawingChanged = () => {
    changes += 1;
    prepared = prepare();
  };

  const settings = () => Object.fromEntries(["start", "label", "seed"].map((name) => [name, model.get(name)]));
  const set = setter(model);
  let [prepared, drawn] = [null, null];
  const pad = drawingPad({
    label: "Drawing pad",
    examples: imageBytes(model.get("examples")),
    onchange: drawingChanged,
  });
  const level = slider({
    label: "Step that the drawing is noised to",
    symbol: "<i>t</i>",
    format: (i) => times[i],
    min: 1,
    max: steps,
    step: 1,
    value: model.get("start"),
    oninput: (value) => set({ start: value }),
  });
  model.on("change:example", () => pad.showExample(model.get("example")));
  model.on("change:start", () => level.set(model.get("start")));
  model.on("change:start change:label change:seed", restart);

  const figure = (image, caption) => h("div", {}, image.element, caption);
  const other = button("Other noise", () => set({ seed: model.get("seed") + 1 }));
  const element = h(
    "div",
    { class: "gu-columns gu-noisy", style: `--gu-accent: ${model.get("colours").model}` },
    pad.element,
    h(
      "div",
      { class: "gu-pad" },
      h(
        "div",
        { class: "gu-beside" },
        figure(clean, h("div", { class: "gu-caption" }, "x₀: your drawing")),
        h("div", {}, level.element, text, h("div", { class: "gu-buttons" }, other)),
      ),
      h("div", { class: "gu-pair" }, figure(noisy, noisyCaption), figure(denoised, denoisedCaption)),
      h("div", { class: "gu-caption gu-above" }, "Denoise it as"),
      labelButtons(model),
    ),
  );
  const first = async () => {
    pad.showExample(model.get("example"));
    await prepared;
    await drawn;
  };
  return { element, first };
}

export default widget(buildNoisyDrawing);
