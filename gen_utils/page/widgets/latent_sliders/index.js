// Sliders for every unit of z, and what the decoder makes of them.

import "./style.css";
import { h } from "../../lib/elements.js";
import { imageCanvas } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { unitSliders } from "../../lib/unit_sliders.js";
import { widget } from "../../lib/widget.js";

function buildSliders(view) {
  const { model, graphs } = view;
  const image = imageCanvas("What the decoder makes of the sliders", 28, 28);

  const draw = latest(async (z) => {
    const began = performance.now();
    const { x } = await graphs.run("decoder", { z: { data: Float32Array.from(z), dims: [1, z.length] } });
    image.paint(x.data);
    image.element.dataset.ms = performance.now() - began;
    image.element.dataset.z = JSON.stringify(z);
  });

  const { sliders, buttons, first } = unitSliders(model, draw);
  const element = h(
    "div",
    { class: "gu-columns" },
    h("div", { class: "gu-picture" }, image.element, buttons),
    sliders,
  );
  return { element, first };
}

export default widget(buildSliders);
