// A point in a two-dimensional latent space, among the codes of real data, and what it decodes to.

import "./style.css";
import { paintCodes, pointPlane } from "../../lib/canvas.js";
import { button, h, setter, slider } from "../../lib/elements.js";
import { imageCanvas } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { widget } from "../../lib/widget.js";

function buildPlane(view) {
  const { model, graphs } = view;
  const [codes, labels, palette, limit] = ["codes", "labels", "palette", "limit"].map((name) => model.get(name));
  const step = 0.1;
  const image = imageCanvas("What the decoder makes of the point", 28, 28);

  const draw = latest(async () => {
    const began = performance.now();
    const z = [model.get("x"), model.get("y")];
    const { x } = await graphs.run("decoder", { z: { data: Float32Array.from(z), dims: [1, 2] } });
    image.paint(x.data);
    image.element.dataset.ms = performance.now() - began;
    image.element.dataset.z = JSON.stringify(z);
  });

  const set = setter(model);
  const pad = pointPlane(view, {
    label: "Latent plane: move the point with the arrow keys, the mouse or a finger",
    limit,
    step,
    colour: model.get("colours").latent,
    onmove: (x, y) => set({ x, y }),
    draw: (context, toPixels) => paintCodes(context, toPixels, { codes, labels, palette, limit }),
  });
  const axes = [
    ["x", 1],
    ["y", 2],
  ].map(([name, k]) =>
    slider({
      label: `Latent unit ${k}`,
      symbol: `<i>z</i><sub>${k}</sub>`,
      min: -limit,
      max: limit,
      step,
      value: model.get(name),
      format: (v) => v.toFixed(2),
      oninput: (value) => set({ [name]: value }),
    }),
  );
  // The point is kept in the model alone: mouse, keys, sliders and Python all move it there.
  const follow = () => {
    pad.set(model.get("x"), model.get("y"));
    axes[0].set(model.get("x"));
    axes[1].set(model.get("y"));
    return draw();
  };
  model.on("change:x change:y", follow);

  const reset = button("Reset", () => set({ x: 0, y: 0 }));
  const element = h(
    "div",
    { class: "gu-columns" },
    h("div", { class: "gu-pad" }, pad.element),
    h(
      "div",
      { class: "gu-picture" },
      image.element,
      ...axes.map((axis) => axis.element),
      h("div", { class: "gu-buttons" }, reset),
    ),
  );
  return { element, first: follow };
}

export default widget(buildPlane);
