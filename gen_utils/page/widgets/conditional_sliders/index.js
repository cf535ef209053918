// Sliders for every unit of z, and what a label-conditioned decoder makes of them, under every label at once.

import "./style.css";
import { h } from "../../lib/elements.js";
import { imageCanvas } from "../../lib/images.js";
import { labelChoices } from "../../lib/label_choices.js";
import { latest } from "../../lib/lifetime.js";
import { unitSliders } from "../../lib/unit_sliders.js";
import { widget } from "../../lib/widget.js";

function buildConditional(view) {
  const { model, graphs } = view;
  const classes = model.get("classes");
  const large = imageCanvas("", 28, 28);
  const caption = h("div", { class: "gu-caption" });
  const choices = labelChoices(model, "The same z under every label", (name) => `The same z, decoded as ${name}`);
  let pictures = null; // one for each label

  const showChosen = () => {
    const label = model.get("label");
    choices.show();
    large.element.ariaLabel = `What the decoder makes of the sliders and the label ${classes[label]}`;
    caption.textContent = `z of the sliders, label ${classes[label]}`;
    large.paint(pictures[label]);
  };
  model.on("change:label", showChosen);

  const draw = latest(async (z) => {
    const began = performance.now();
    const { x } = await graphs.run("decoder", { z: { data: Float32Array.from(z), dims: [1, z.length] } });
    pictures = classes.map((_, label) => x.data.subarray(784 * label, 784 * (label + 1)));
    choices.paint(pictures);
    showChosen();
    large.element.dataset.ms = performance.now() - began;
    large.element.dataset.z = JSON.stringify(z);
  });

  const { sliders, buttons, first } = unitSliders(model, draw);
  const element = h(
    "div",
    { class: "gu-columns" },
    choices.element,
    h("div", { class: "gu-picture" }, large.element, caption, buttons),
    sliders,
  );
  return { element, first };
}

export default widget(buildConditional);
