// Draw a digit: what the encoder makes of it on the latent plane, what that decodes to, and what it is read as.

import "./style.css";
import { paintCodes, planeCanvas } from "../../lib/canvas.js";
import { drawingPad } from "../../lib/drawing_pad.js";
import { h } from "../../lib/elements.js";
import { imageBytes, imageCanvas, isBlank } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { widget } from "../../lib/widget.js";

function buildPosterior(view) {
  const { model, graphs } = view;
  const [codes, labels, palette, limit] = ["codes", "labels", "palette", "limit"].map((name) => model.get(name));
  const prepared = imageCanvas("Your drawing, prepared as MNIST was", 28, 28);
  const decoded = imageCanvas("What the decoder makes of the posterior's mean", 28, 28);
  const text = h("p", { class: "gu-hint", role: "status" });
  const place = h("p", { class: "gu-hint" });
  const bars = readingBars(model.get("colours").decision);
  let [mu, sigma] = [
    [0, 0],
    [1, 1],
  ];

  const look = { class: "gu-map", role: "img", "aria-label": "Latent plane: where the encoder puts your drawing" };
  const map = planeCanvas(view, look, limit, (context, toPixels) => {
    paintCodes(context, toPixels, { codes, labels, palette, limit });
    paintPosterior(context, toPixels, { mu, sigma, limit, colour: model.get("colours").latent });
  });

  const draw = latest(async () => {
    const began = performance.now();
    const { x } = await graphs.run("prepare", { ink: pad.ink() });
    const code = await graphs.run("encoder", { x });
    const picture = await graphs.run("decoder", { z: code.mu });
    const { p } = await graphs.run("classifier", { x });
    [mu, sigma] = [Array.from(code.mu.data), Array.from(code.sigma.data)];
    prepared.paint(x.data);
    decoded.paint(picture.x.data);
    map.repaint();
    bars.set(p.data);
    const best = p.data.indexOf(Math.max(...p.data));
    text.textContent = isBlank(x.data)
      ? "Nothing is drawn."
      : `A classifier reads ${best} with probability ${p.data[best].toFixed(2)}.`;
    const pair = (values) => `(${values.map((v) => v.toFixed(2)).join(", ")})`;
    place.textContent = `Mean μ = ${pair(mu)}; ellipses at one and two σ = ${pair(sigma)}.`;
    map.element.dataset.posterior = JSON.stringify({ mu, sigma, p: Array.from(p.data) });
    map.element.dataset.ms = performance.now() - began;
  });

  const pad = drawingPad({ label: "Drawing pad", examples: imageBytes(model.get("examples")), onchange: draw });
  model.on("change:example", () => pad.showExample(model.get("example")));

  const figure = (caption, image) =>
    h("div", { class: "gu-figure" }, image.element, h("div", { class: "gu-caption" }, caption));
  const element = h(
    "div",
    { class: "gu-columns" },
    pad.element,
    h("div", { class: "gu-pad" }, map.element, place),
    h(
      "div",
      { class: "gu-readings" },
      figure("as the encoder sees it", prepared),
      figure("its mean, decoded", decoded),
      h("div", { class: "gu-reading" }, bars.element, text),
    ),
  );
  return { element, first: () => pad.showExample(model.get("example")) };
}

// The Gaussian q(z|x): ellipses at one and two standard deviations, and lines from the edges that lead to it.
function paintPosterior(context, toPixels, { mu, sigma, limit, colour }) {
  const [x, y] = toPixels(mu);
  const unit = toPixels([1, 0])[0] - toPixels([0, 0])[0];
  const [left, bottom] = toPixels([-limit, -limit]);
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  for (const end of [
    [left, y],
    [x, bottom],
  ]) {
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(...end);
    context.stroke();
  }
  context.setLineDash([]);
  for (const deviations of [2, 1]) {
    context.beginPath();
    context.ellipse(x, y, deviations * sigma[0] * unit, deviations * sigma[1] * unit, 0, 0, 2 * Math.PI);
    context.globalAlpha = 0.4;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.stroke();
  }
}

// Ten bars over their digits: the probabilities that the classifier gives them.
function readingBars(colour) {
  const bars = Array.from({ length: 10 }, () => h("span", { class: "gu-bar", style: `background: ${colour}` }));
  const columns = bars.map((bar, digit) => h("span", {}, bar, String(digit)));
  const element = h("div", { class: "gu-bars", "aria-hidden": "true" }, ...columns);
  const set = (p) => bars.forEach((bar, digit) => (bar.style.height = `${3 * p[digit]}rem`));
  return { element, set };
}

export default widget(buildPosterior);
