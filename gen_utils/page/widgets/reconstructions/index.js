// Draw a digit: what codes of several sizes keep of it, an autoencoder's beside PCA's, and the code of one size in large.

import "./style.css";
import { drawnCanvas } from "../../lib/canvas.js";
import { paintChart, roundTicks } from "../../lib/chart.js";
import { drawingPad } from "../../lib/drawing_pad.js";
import { h, setter, slider } from "../../lib/elements.js";
import { imageBytes, imageCanvas, isBlank } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { widget } from "../../lib/widget.js";

function buildReconstructions(view) {
  const { model, graphs } = view;
  const sizes = model.get("sizes");
  const prepared = imageCanvas("Your drawing, prepared as MNIST was", 28, 28);
  const large = imageCanvas("", 28, 28);
  const caption = h("div", { class: "gu-caption" });
  const text = h("p", { class: "gu-hint", role: "status" });
  const cards = sizes.map(sizeCard);
  let codes = sizes.map((k) => new Float32Array(k));
  let [pictures, errors, pcaErrors] = [[], [], []]; // one for each size
  let blank = true;

  const look = { class: "gu-code", role: "img", "aria-label": "The code of the chosen size" };
  const bars = drawnCanvas(view, look, (context, width, height) =>
    paintCode(context, width, height, { z: codes[model.get("index")], colour: model.get("colours").latent }),
  );
  const showChosen = (began = performance.now()) => {
    const index = model.get("index");
    const k = sizes[index];
    size.set(index);
    cards.forEach((card, i) => card.element.classList.toggle("gu-chosen", i === index));
    large.element.ariaLabel = `What the autoencoder makes of its code of ${k} numbers`;
    large.paint(pictures[index]);
    caption.textContent = `decoded from K = ${k}`;
    const errorText = `K = ${k}: squared error a pixel ${errors[index].toFixed(3)}, PCA’s ${pcaErrors[index].toFixed(3)}.`;
    text.textContent = blank ? "Nothing is drawn." : errorText;
    bars.repaint();
    bars.element.dataset.code = JSON.stringify(Array.from(codes[index]));
    bars.element.dataset.ms = performance.now() - began;
  };
  model.on("change:index", () => showChosen());

  const draw = latest(async () => {
    const began = performance.now();
    const { x } = await graphs.run("prepare", { ink: pad.ink() });
    const found = [];
    for (const k of sizes) found.push(await graphs.run(`autoencoder${k}`, { x }));
    const pca = await graphs.run("pca", { x });
    blank = isBlank(x.data);
    codes = found.map(({ z }) => z.data);
    pictures = found.map(({ x_hat }) => x_hat.data);
    errors = found.map(({ error }) => error.data[0]);
    pcaErrors = Array.from(pca.error.data);
    prepared.paint(x.data);
    cards.forEach((card, i) => {
      card.autoencoder.paint(pictures[i], errors[i]);
      card.pca.paint(pca.x_hat.data.subarray(784 * i, 784 * (i + 1)), pcaErrors[i]);
    });
    showChosen(began);
  });

  const set = setter(model);
  const pad = drawingPad({ label: "Drawing pad", examples: imageBytes(model.get("examples")), onchange: draw });
  model.on("change:example", () => pad.showExample(model.get("example")));
  const size = slider({
    label: "Numbers in the code",
    symbol: "<i>K</i>",
    format: (i) => sizes[i],
    min: 0,
    max: sizes.length - 1,
    step: 1,
    value: model.get("index"),
    oninput: (index) => set({ index }),
  });

  const figure = (image, name) => h("div", {}, image.element, name);
  const element = h(
    "div",
    { class: "gu-columns" },
    pad.element,
    h(
      "div",
      { class: "gu-pad" },
      h(
        "div",
        { class: "gu-pair" },
        figure(prepared, h("div", { class: "gu-caption" }, "as the encoder sees it")),
        figure(large, caption),
      ),
      size.element,
      bars.element,
      text,
    ),
    sizeTable(cards),
  );
  return { element, first: () => pad.showExample(model.get("example")) };
}

// The pictures of one size, the autoencoder's above PCA's, each with its squared error a pixel below.
function sizeCard(k) {
  const picture = (name) => {
    const image = imageCanvas(`${name}, K = ${k}`, 28, 28);
    const error = h("span", {}, "0.000");
    const paint = (values, value) => {
      image.paint(values);
      error.textContent = value.toFixed(3);
    };
    return { nodes: [image.element, error], paint };
  };
  const [autoencoder, pca] = [picture("Autoencoder"), picture("PCA")];
  const element = h("div", { class: "gu-size" }, h("span", {}, `K = ${k}`), ...autoencoder.nodes, ...pca.nodes);
  return { element, autoencoder, pca };
}

// All sizes side by side; on a phone two in a row, each row with the methods' names.
function sizeTable(cards) {
  const names = () =>
    h(
      "div",
      { class: "gu-size gu-methods", "aria-hidden": "true" },
      "",
      h("span", {}, "autoencoder"),
      h("span", {}, "PCA"),
    );
  const nodes = cards.flatMap((card, i) => (i % 2 === 0 ? [names(), card.element] : [card.element]));
  const style = `--gu-count: ${cards.length}`;
  return h(
    "div",
    { class: "gu-wide gu-sizes-around" },
    h(
      "div",
      { class: "gu-sizes", style, role: "group", "aria-label": "Every size, with its squared error a pixel" },
      ...nodes,
    ),
    h("div", { class: "gu-caption" }, "Below each picture its squared error a pixel."),
  );
}

// A bar for each number of the code, to a round scale that a small change of the drawing leaves as it is.
function paintCode(context, width, height, { z, colour }) {
  const largest = Math.max(0.1, ...z.map(Math.abs));
  const power = 10 ** Math.floor(Math.log10(largest));
  const limit = [1, 2, 3, 5, 10].map((m) => m * power).find((s) => s >= largest);
  const number = (v) => String(Number(v.toPrecision(1))).replace("-", "−");
  const units = z.length <= 8 ? Array.from(z, (_, i) => [i + 1, String(i + 1)]) : roundTicks([1, z.length]);
  const { toX, toY } = paintChart(context, width, height, {
    x: { range: [0.4, z.length + 0.6], ticks: units, name: "place in the code" },
    y: { range: [-limit, limit], ticks: [-limit, 0, limit].map((v) => [v, number(v)]), name: "z" },
  });
  context.fillRect(toX(0.4), toY(0), toX(z.length + 0.6) - toX(0.4), 1);
  context.fillStyle = colour;
  const bar = Math.min(36, 0.8 * (toX(2) - toX(1)));
  z.forEach((value, i) =>
    context.fillRect(toX(i + 1) - bar / 2, Math.min(toY(0), toY(value)), bar, Math.abs(toY(value) - toY(0))),
  );
}

export default widget(buildReconstructions);
