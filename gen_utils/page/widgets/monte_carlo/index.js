// Twenty estimates of log p(x) for every number of draws, from the prior and from the posterior, and how far they are
// from the exact value.

import "./style.css";
import { drawnCanvas } from "../../lib/canvas.js";
import { paintChart } from "../../lib/chart.js";
import { button, grouped, h, reserve, setter, slider } from "../../lib/elements.js";
import { scalar } from "../../lib/graphs.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

const FRAME_MS = 40; // after which a long computation lets the page go on

function buildMonteCarlo(view) {
  const { model, graphs } = view;
  const [dims, exact, sizes, kinds] = ["dims", "exact", "sizes", "kinds"].map((name) => model.get(name));
  const scale = { linear: model.get("linear"), worst: model.get("worst") };
  const initial = Object.fromEntries(["dim", "draws", "seed"].map((name) => [name, model.get(name)]));
  const value = (v) => v.toFixed(2).replace("-", "−");
  const exactly = (K, v) => `Exact (dashed), K = ${K}: log p(x) = ${value(v)} nats.`;
  let streams = {}; // by K: the estimates of the current seed
  const stream = () => (streams[model.get("dim")] ??= estimateStream(model, graphs, model.get("dim")));
  const truth = () => exact[dims.indexOf(model.get("dim"))];

  const look = {
    class: "gu-errors",
    role: "img",
    "aria-label": "Errors of the estimates for each number of draws, in nats",
  };
  const chart = drawnCanvas(view, look, (context, width, height) => {
    const found = sizes
      .filter((n) => n <= model.get("draws") && stream().found[n])
      .map((n) => [n, stream().found[n]]);
    paintErrors(context, width, height, { found, sizes, exact: truth(), kinds, ...scale });
  });
  const rows = kinds.map(() => Array.from({ length: 3 }, () => h("td")));
  const reading = h("p", { class: "gu-hint", role: "status" });

  const show = () => {
    const n = model.get("draws");
    const estimates = stream().found[n];
    reading.textContent = exactly(model.get("dim"), truth());
    chart.repaint();
    if (!estimates) return;
    rows.forEach((cells, column) => {
      const values = Array.from(estimates).filter((_, i) => i % 2 === column);
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      [Math.min(...values), mean, Math.max(...values)].forEach((v, i) => (cells[i].textContent = value(v)));
    });
  };

  const draw = latest(async () => {
    const began = performance.now();
    let paused = began;
    // What the reader chooses meanwhile counts.
    while (stream().before < model.get("draws")) {
      await stream().more();
      if (performance.now() - paused < FRAME_MS) continue;
      show();
      await view.sleep(0);
      paused = performance.now();
    }
    show();
    const chosen = Object.fromEntries(["dim", "draws", "seed"].map((name) => [name, model.get(name)]));
    chart.element.dataset.estimates = JSON.stringify(Array.from(stream().found[chosen.draws]));
    chart.element.dataset.shown = JSON.stringify(chosen);
    chart.element.dataset.ms = performance.now() - began;
  });

  // The choice is kept in the model alone: page and Python both make it there.
  const set = setter(model);
  const draws = slider({
    label: "Number of draws n",
    symbol: "<i>n</i>",
    format: (i) => grouped(sizes[i]),
    min: 0,
    max: sizes.length - 1,
    step: 1,
    value: sizes.indexOf(model.get("draws")),
    oninput: (i) => set({ draws: sizes[i] }),
  });
  const units = slider({
    label: "Number of latent units K",
    symbol: "<i>K</i>",
    format: (i) => String(dims[i]),
    min: 0,
    max: dims.length - 1,
    step: 1,
    value: dims.indexOf(model.get("dim")),
    oninput: (i) => set({ dim: dims[i] }),
  });
  model.on("change:seed", () => (streams = {}));
  model.on("change:dim change:draws change:seed", () => {
    draws.set(sizes.indexOf(model.get("draws")));
    units.set(dims.indexOf(model.get("dim")));
    show();
    return draw();
  });

  const table = h(
    "table",
    { class: "gu-table" },
    h(
      "tr",
      {},
      h("th", { scope: "col" }, `${model.get("repeats")} estimates / nats`),
      ...["lowest", "mean", "highest"].map((name) => h("th", { scope: "col" }, name)),
    ),
    ...kinds.map(([kind, colour], column) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("span", { class: "gu-key", style: `background: ${colour}` }), `from the ${kind}`),
        ...rows[column],
      ),
    ),
  );
  const element = h(
    "div",
    { class: "gu-columns gu-monte-carlo" },
    h("div", { class: "gu-wide" }, chart.element),
    h("div", { class: "gu-plot" }, draws.element, units.element),
    h(
      "div",
      { class: "gu-plot" },
      reserve(reading, exactly(8, -88.88)),
      table,
      h(
        "div",
        { class: "gu-buttons" },
        button("New noise", () => set({ seed: model.get("seed") + 1 })),
        button("Reset", () => set(initial)),
      ),
    ),
  );
  return { element, first: draw };
}

// The estimates of one K from the noise of the seed: `more()` adds a block of draws, at most up to the next of the
// sizes; `found` holds them by the number of draws.
function estimateStream(model, graphs, K) {
  const [sizes, block, repeats] = ["sizes", "block", "repeats"].map((name) => model.get(name));
  const noise = new Noise(model.get("seed"));
  const each = repeats * K; // numbers a draw
  const stream = { before: 0, found: {} };
  let estimate = new Float32Array(2 * repeats);
  stream.more = async () => {
    const size = sizes.find((n) => n > stream.before);
    const count = Math.min(block, size - stream.before);
    const eps = new Float32Array(block * each); // the rest doesn't count
    eps.set(noise.normal(count * each));
    const feeds = { eps: { data: eps, dims: [block, repeats, K] }, estimate: { data: estimate, dims: [repeats, 2] } };
    const numbers = { count: scalar(count), before: scalar(stream.before) };
    estimate = (await graphs.run(`estimate${K}`, { ...feeds, ...numbers })).new_estimate.data;
    stream.before += count;
    if (stream.before === size) stream.found[size] = estimate;
  };
  return stream;
}

// Errors over the number of draws, both to logarithmic scales; within ±`linear` nats the errors' is linear.
function paintErrors(context, width, height, { found, sizes, exact, kinds, linear, worst }) {
  const bend = (error) => Math.sign(error) * Math.log10(1 + Math.abs(error) / linear);
  const errors = [-1e5, -1e4, -1000, -100, -10, -1, -0.1, 0, 0.1, 1].filter((error) => error >= 2 * worst);
  const range = [bend(1.5 * worst), bend(3)];
  const text = (v) =>
    String(v)
      .replace("-", "−")
      .replace(/10{3,}$/, (power) => `10${"⁰¹²³⁴⁵⁶"[power.length - 1]}`);
  const { toX, toY } = paintChart(context, width, height, {
    x: {
      range: [-0.3, 5.3],
      ticks: sizes.filter((_, i) => i % 2 === 0).map((n) => [Math.log10(n), text(n)]),
      name: "number of draws n",
    },
    y: {
      range,
      ticks: errors.filter((error) => bend(error) > range[0]).map((error) => [bend(error), text(error)]),
      name: "estimate − exact / nats",
    },
  });
  context.setLineDash([5, 4]);
  context.beginPath();
  context.moveTo(toX(-0.3), toY(0));
  context.lineTo(toX(5.3), toY(0));
  context.stroke();
  context.setLineDash([]);
  const aside = Math.min(8, 0.24 * (toX(0.5) - toX(0))); // the two kinds stand side by side
  const inside = (error) => toY(Math.max(range[0], Math.min(range[1], bend(error))));
  kinds.forEach(([, colour], column) => {
    context.fillStyle = colour;
    for (const [n, estimates] of found) {
      const middle = toX(Math.log10(n)) + (column ? aside : -aside);
      for (let i = 0; i < estimates.length / 2; i++) {
        const [x, y] = [middle + (((i % 5) - 2) * aside) / 4, inside(estimates[2 * i + column] - exact)];
        context.beginPath();
        if (column)
          [
            [0, -4],
            [4, 0],
            [0, 4],
            [-4, 0],
          ].forEach(([dx, dy]) => context.lineTo(x + dx, y + dy));
        else context.arc(x, y, 3, 0, 2 * Math.PI);
        context.globalAlpha = 0.7;
        context.fill();
        context.globalAlpha = 1;
      }
    }
  });
}

export default widget(buildMonteCarlo);
