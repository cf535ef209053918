// Sliders for every unit of z, and what a decoder that is told the label makes of them, under every label at once.

function render({ model, el }) {
  comeAlive({ model, el, build: (graphs) => buildConditional(model, graphs) });
}

function buildConditional(model, graphs) {
  const classes = model.get("classes");
  const large = imageCanvas("", 28, 28);
  const caption = h("div", { class: "gu-caption" });
  const images = classes.map((name) => imageCanvas(`The same z, decoded as ${name}`, 28, 28));
  const choices = classes.map((name, label) =>
    h("button", { type: "button", class: "gu-choice", "aria-label": `Label ${name}`, onclick: () => choose(label) }, images[label].element, name),
  );
  let pictures = null; // one for each label

  const choose = (label) => {
    model.set("label", label);
    model.save_changes();
  };
  const showChosen = () => {
    const label = model.get("label");
    choices.forEach((choice, other) => choice.setAttribute("aria-pressed", other === label));
    large.element.ariaLabel = `What the decoder makes of the sliders and the label ${classes[label]}`;
    caption.textContent = `z of the sliders, label ${classes[label]}`;
    large.paint(pictures[label]);
  };
  model.on("change:label", showChosen);

  const draw = latest(async (z) => {
    const began = performance.now();
    const { x } = await graphs.run("decoder", { z: { data: Float32Array.from(z), dims: [1, z.length] } });
    pictures = classes.map((_, label) => x.data.subarray(784 * label, 784 * (label + 1)));
    images.forEach((image, label) => image.paint(pictures[label]));
    showChosen();
    large.element.dataset.ms = performance.now() - began;
    large.element.dataset.z = JSON.stringify(z);
  });

  const { sliders, buttons, first } = unitSliders(model, draw);
  const row = h("div", { class: "gu-row", role: "group", "aria-label": "The same z under every label" }, ...choices);
  const element = h(
    "div", { class: "gu-columns" },
    h("div", { class: "gu-choices" }, row),
    h("div", { class: "gu-picture" }, large.element, caption, buttons),
    sliders,
  );
  return { element, first };
}

export default { render };
