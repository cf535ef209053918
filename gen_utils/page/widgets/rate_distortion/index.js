// VAEs trained with different β on the plane of rate and distortion, and what the chosen one makes of the same images.

import "./style.css";
import { drawnCanvas } from "../../lib/canvas.js";
import { paintChart, roundTicks } from "../../lib/chart.js";
import { button, h, setter, slider } from "../../lib/elements.js";
import { imageBytes, imageCanvas } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

function buildRateDistortion(view) {
  const { model, graphs } = view;
  const [betas, rates, distortions, K] = ["betas", "rates", "distortions", "latent_dim"].map((name) =>
    model.get(name),
  );
  const colours = model.get("colours");
  const data = Float32Array.from(imageBytes(model.get("images")), (byte) => byte / 255);
  const n = data.length / 784;
  const text = h("p", { class: "gu-hint", role: "status" });
  const [inputs, reconstructions, samples] = [
    "The images x",
    "Their reconstructions by the chosen model",
    "Samples of the chosen model",
  ].map((label) => imageCanvas(label, 28, 28, n));
  inputs.paint(data);
  let chosen = model.get("index");

  const look = { class: "gu-chart", role: "img", "aria-label": "Rate and distortion of each model, in nats" };
  const chart = drawnCanvas(view, look, (context, width, height) =>
    paintRateDistortion(context, width, height, { betas, rates, distortions, chosen, colour: colours.model }),
  );

  const draw = latest(async () => {
    const began = performance.now();
    const index = model.get("index");
    const noise = new Noise(model.get("seed"));
    const [eps, z] = [0, 1].map(() => ({ data: noise.normal(n * K), dims: [n, K] }));
    const made = await graphs.run(`model${index}`, { x: { data, dims: [n, 1, 28, 28] }, eps, z });
    reconstructions.paint(made.reconstruction.data);
    samples.paint(made.sample.data);
    chosen = index;
    chart.repaint();
    const [R, D] = [rates[index], distortions[index]];
    text.textContent = `β = ${betas[index]}: rate ${R.toFixed(1)}, distortion ${D.toFixed(1)}, −ELBO ${(R + D).toFixed(1)} nats an image.`;
    chart.element.dataset.shown = JSON.stringify({ index, seed: model.get("seed") });
    chart.element.dataset.ms = performance.now() - began;
  });

  const set = setter(model);
  const beta = slider({
    label: "β, the weight of the rate",
    symbol: "<i>β</i>",
    format: (i) => String(betas[i]),
    min: 0,
    max: betas.length - 1,
    step: 1,
    value: chosen,
    oninput: (i) => set({ index: i }),
  });
  // The choice is kept in the model alone: slider and Python both make it there.
  model.on("change:index", () => {
    beta.set(model.get("index"));
    draw();
  });
  model.on("change:seed", draw);

  const strip = (caption, image, kind) =>
    h(
      "div",
      { class: "gu-strip", style: `--gu-kind: ${colours[kind]}` },
      h("div", { class: "gu-caption" }, caption),
      image.element,
    );
  const element = h(
    "div",
    { class: "gu-columns", style: `--gu-accent: ${colours.model}` },
    h("div", { class: "gu-plot" }, chart.element, beta.element, text),
    h(
      "div",
      { class: "gu-strips" },
      strip("images x", inputs, "data"),
      strip("reconstructions: z drawn from q(z|x)", reconstructions, "model"),
      strip("samples: z drawn from p(z)", samples, "model"),
      h(
        "div",
        { class: "gu-buttons" },
        button("New noise", () => set({ seed: model.get("seed") + 1 })),
      ),
    ),
  );
  return { element, first: draw };
}

// The models as points joined by a line, the chosen one ringed and named, and every point of its R + D dashed.
function paintRateDistortion(context, width, height, { betas, rates, distortions, chosen, colour }) {
  const [low, high] = [Math.min(...distortions), Math.max(...distortions)];
  const spare = 0.08 * (high - low || 1);
  const [R, D] = [
    [0, 1.08 * (Math.max(...rates) || 1)],
    [low - spare, high + spare],
  ];
  const { toX, toY } = paintChart(context, width, height, {
    x: { range: R, ticks: roundTicks(R), name: "rate R / nats" },
    y: { range: D, ticks: roundTicks(D), name: "distortion D / nats" },
  });
  const [left, right, top, bottom] = [toX(R[0]), toX(R[1]), toY(D[1]), toY(D[0])];
  const line = (...points) => {
    context.beginPath();
    points.forEach(([r, d]) => context.lineTo(toX(r), toY(d)));
    context.stroke();
  };
  const dot = (i, radius) => {
    context.beginPath();
    context.arc(toX(rates[i]), toY(distortions[i]), radius, 0, 2 * Math.PI);
  };

  const sum = rates[chosen] + distortions[chosen];
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  context.setLineDash([5, 4]);
  line([R[0], sum - R[0]], [R[1], sum - R[1]]);
  context.restore();
  context.textAlign = "right";
  context.fillText(`dashed: R + D = ${sum.toFixed(1)}`, right, top + 6);

  context.textAlign = "left";
  rates.forEach((rate, i) => {
    const name = i === chosen ? `β = ${betas[i]}` : String(betas[i]);
    context.font = i === chosen ? "700 12px sans-serif" : "12px sans-serif";
    const across = context.measureText(name).width;
    const [x, y] = [Math.min(toX(rate) + 8, width - across - 1), toY(distortions[i]) - (i === chosen ? 17 : 12)];
    context.clearRect(x - 5, y - 7, across + 10, 14); // the dashed line stops before a name
    context.fillText(name, x, y);
  });

  context.strokeStyle = context.fillStyle = colour;
  line(...rates.map((rate, i) => [rate, distortions[i]]));
  rates.forEach((_, i) => {
    dot(i, 4);
    context.fill();
  });
  context.lineWidth = 3;
  dot(chosen, 9);
  context.stroke();
}

export default widget(buildRateDistortion);
