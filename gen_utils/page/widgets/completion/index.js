// Draw a digit: the model is given its upper rows alone and completes them, row by row, for several draws of noise.

import "./style.css";
import { drawingPad } from "../../lib/drawing_pad.js";
import { button, h, reserve, setter, slider } from "../../lib/elements.js";
import { imageBytes, isBlank, rgb } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

function buildCompletion(view) {
  const { model, graphs } = view;
  const [B, colours] = [model.get("batch"), model.get("colours")];
  const given = cutImage("Your drawing, prepared as MNIST was; what lies below the line is hidden from the model");
  const completions = Array.from({ length: B }, (_, i) => cutImage(`Completion ${i + 1}`));
  const text = h("p", { class: "gu-hint", role: "status" });
  let x = new Float32Array(784); // prepared, all of it
  let changes = 0; // of the drawing or of what is kept: a completion of what was there before stops

  // The rows before `rows` are kept from the drawing; those before `end` are there.
  const show = (images, rows, end) => {
    const [data, drawn] = [rgb(colours.data), rgb(colours.model)];
    const colour = (row) => (row < rows ? data : row < end ? drawn : null);
    for (const [i, each] of completions.entries()) each.paint(images.subarray(784 * i, 784 * (i + 1)), rows, colour);
  };
  const prepare = latest(async () => {
    const began = performance.now();
    const found = await graphs.run("prepare", { ink: pad.ink() });
    x = found.x.data;
    showGiven(began);
  });
  const showGiven = (began) => {
    changes += 1;
    const rows = model.get("rows");
    const [data, hidden] = [rgb(colours.data), rgb("#d0d0d0")];
    given.paint(x, rows, (row) => (row < rows ? data : hidden));
    show(repeated(x, B), rows, rows);
    text.textContent = isBlank(x) ? "Nothing is drawn." : `The model is given ${rows} of 28 rows.`;
    given.canvas.dataset.ms = performance.now() - began;
  };

  // In a row all pixels are drawn at once, again and again until nothing changes: each time at least the first wrong
  // one is put right, so the row ends as if drawn one pixel after the other.
  const complete = latest(async () => {
    const began = performance.now();
    const [rows, seed, change] = [model.get("rows"), model.get("seed"), changes];
    const [u, dims] = [new Noise(seed).uniforms(784 * B), [B, 1, 28, 28]];
    let images = repeated(x, B).map((pixel, i) => (i % 784 < 28 * rows ? pixel : 0));
    for (let row = rows; row < 28; row++) {
      const chosen = Float32Array.from(images, (_, i) => Number(Math.floor((i % 784) / 28) === row));
      for (let settled = false; !settled; ) {
        const { x_next } = await graphs.run("step", {
          x: { data: images, dims },
          u: { data: u, dims },
          chosen: { data: chosen, dims },
        });
        settled = x_next.data.every((pixel, i) => pixel === images[i]);
        images = x_next.data;
      }
      if (change !== changes || seed !== model.get("seed")) return;
      show(images, rows, row + 1);
      await view.nextFrame();
    }
    text.textContent = drawnPixels(rows);
    done.dataset.images = Array.from(images, Number).join("");
    done.dataset.shown = JSON.stringify({ rows, seed });
    done.dataset.ms = performance.now() - began;
  });

  const set = setter(model);
  let prepared = null;
  const pad = drawingPad({
    label: "Drawing pad",
    examples: imageBytes(model.get("examples")),
    onchange: () => (prepared = prepare()),
  });
  const rows = slider({
    label: "Rows that are kept",
    symbol: "rows",
    format: String,
    min: 1,
    max: 27,
    step: 1,
    value: model.get("rows"),
    oninput: (value) => set({ rows: value }),
  });
  model.on("change:example", () => pad.showExample(model.get("example")));
  model.on("change:rows", () => {
    rows.set(model.get("rows"));
    showGiven(performance.now());
  });
  model.on("change:seed", complete);

  const done = h(
    "div",
    { class: "gu-completions", role: "group", "aria-label": "Completions" },
    ...completions.map((each) => each.element),
  );
  const element = h(
    "div",
    { class: "gu-columns", style: `--gu-accent: ${colours.model}` },
    pad.element,
    h(
      "div",
      { class: "gu-pad" },
      h(
        "div",
        { class: "gu-given" },
        given.element,
        h(
          "div",
          {},
          rows.element,
          reserve(text, drawnPixels(1)),
          h(
            "div",
            { class: "gu-buttons" },
            button("Complete", () => set({ seed: model.get("seed") + 1 })),
          ),
        ),
      ),
      done,
      h(
        "div",
        { class: "gu-caption" },
        "Draw a whole digit: the line cuts it. Blue: kept from your drawing. Orange: drawn by the model.",
      ),
    ),
  );
  const first = async () => {
    pad.showExample(model.get("example"));
    await prepared;
    complete(); // while the reader watches
  };
  return { element, first };
}

const repeated = (image, times) =>
  Float32Array.from({ length: image.length * times }, (_, i) => image[i % image.length]);

// A picture of 28 × 28 on light paper with a line under its first rows; `colour(row)` is the ink's in that row.
function cutImage(label) {
  const canvas = h("canvas", { class: "gu-image", role: "img", "aria-label": label, width: 28, height: 28 });
  const line = h("span", { class: "gu-cut" });
  const context = canvas.getContext("2d");
  const paint = (values, rows, colour) => {
    const image = new ImageData(28, 28);
    for (let i = 0; i < 784; i++) {
      const ink = colour(Math.floor(i / 28));
      const paper = 1 - (ink ? values[i] : 0);
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = 255 * paper + (ink ? ink[c] : 0) * (1 - paper);
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    line.style.top = `${(100 * rows) / 28}%`;
  };
  return { element: h("div", { class: "gu-paper" }, canvas, line), canvas, paint };
}

export default widget(buildCompletion);
