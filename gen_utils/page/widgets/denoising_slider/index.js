// Draw a digit: as much noise as the slider says is added to it, and a denoiser removes it.

import "./style.css";
import { drawingPad } from "../../lib/drawing_pad.js";
import { button, h, setter, slider } from "../../lib/elements.js";
import { scalar } from "../../lib/graphs.js";
import { imageBytes, imageCanvas, isBlank } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

function buildDenoising(view) {
  const { model, graphs } = view;
  const clean = imageCanvas("Your drawing, prepared as MNIST was", 28, 28);
  const noisy = imageCanvas("Your drawing with noise", 28, 28);
  const denoised = imageCanvas("What the denoiser makes of it", 28, 28);
  const [before, after] = [h("span"), h("span")];
  const text = h("p", { class: "gu-hint", role: "status" });
  let x = { data: new Float32Array(784), dims: [1, 1, 28, 28] }; // prepared

  const draw = latest(async () => {
    const began = performance.now();
    const [sigma, seed] = [model.get("sigma"), model.get("seed")];
    const eps = { data: new Noise(seed).normal(784), dims: [1, 1, 28, 28] };
    const found = await graphs.run("denoise", { x, eps, sigma: scalar(sigma) });
    const errors = Array.from(found.error.data, (value) => value.toFixed(3));
    clean.paint(x.data);
    noisy.paint(found.noisy.data); // a canvas clips what lies outside 0…1
    denoised.paint(found.x_hat.data);
    [before.textContent, after.textContent] = errors;
    const errorText = `σ = ${sigma.toFixed(2)}: error ${errors[0]}, denoised ${errors[1]}.`;
    text.textContent = isBlank(x.data) ? "Nothing is drawn." : errorText;
    denoised.element.dataset.shown = JSON.stringify({ sigma, seed });
    denoised.element.dataset.ms = performance.now() - began;
  });
  const prepare = latest(async () => {
    ({ x } = await graphs.run("prepare", { ink: pad.ink() }));
    await draw();
  });

  const set = setter(model);
  let prepared = null;
  const pad = drawingPad({
    label: "Drawing pad",
    examples: imageBytes(model.get("examples")),
    onchange: () => (prepared = prepare()),
  });
  const level = slider({
    label: "Standard deviation of the noise",
    symbol: "σ",
    format: (v) => v.toFixed(2),
    min: 0,
    max: 1,
    step: 0.05,
    value: model.get("sigma"),
    oninput: (value) => set({ sigma: value }),
  });
  model.on("change:example", () => pad.showExample(model.get("example")));
  model.on("change:sigma", () => {
    level.set(model.get("sigma"));
    draw();
  });
  model.on("change:seed", draw);

  const figure = (image, ...caption) => h("div", {}, image.element, h("div", { class: "gu-caption" }, ...caption));
  const other = button("Other noise", () => set({ seed: model.get("seed") + 1 }));
  const element = h(
    "div",
    { class: "gu-columns", style: `--gu-accent: ${model.get("colours").model}` },
    pad.element,
    h(
      "div",
      { class: "gu-pad" },
      h(
        "div",
        { class: "gu-beside" },
        figure(clean, "clean x"),
        h("div", {}, level.element, text, h("div", { class: "gu-buttons" }, other)),
      ),
      h(
        "div",
        { class: "gu-pair" },
        figure(noisy, "with noise: error ", before),
        figure(denoised, "denoised: error ", after),
      ),
      h("div", { class: "gu-caption" }, "Error: squared, a pixel. Grey values outside 0…1 are shown clipped."),
    ),
  );
  const first = async () => {
    pad.showExample(model.get("example"));
    await prepared;
  };
  return { element, first };
}

export default widget(buildDenoising);
