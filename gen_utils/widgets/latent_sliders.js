// Sliders for every unit of z, and what the decoder makes of them.

function render({ model, el }) {
  comeAlive({ model, el, build: (graphs) => buildSliders(model, graphs) });
}

function buildSliders(model, graphs) {
  const rates = model.get("rates");
  const unused = model.get("unused");
  const z = [...model.get("z")];
  const image = imageCanvas("What the decoder makes of the sliders", 28, 28);

  const draw = latest(async () => {
    const began = performance.now();
    const { x } = await graphs.run("decoder", { z: { data: Float32Array.from(z), dims: [1, z.length] } });
    image.paint(x.data);
    image.element.dataset.ms = performance.now() - began;
    image.element.dataset.z = JSON.stringify(z);
  });
  const changed = () => {
    model.set("z", [...z]);
    model.save_changes();
    return draw();
  };

  const order = rates.map((_, k) => k).sort((a, b) => rates[b] - rates[a]);
  const sliders = order.map((k) =>
    slider({
      label: `Latent unit ${k + 1}`,
      symbol: `<i>z</i><sub>${k + 1}</sub>`,
      min: -3, max: 3, step: 0.1, value: z[k],
      unused: rates[k] < unused,
      note: rates[k] < unused ? "unused: 0.00 nats" : `${rates[k].toFixed(2)} nats`,
      oninput: (value) => {
        z[k] = value;
        changed();
      },
    }),
  );
  const assign = (values) => {
    values.forEach((value, k) => (z[k] = value));
    order.forEach((k, i) => sliders[i].set(z[k]));
    return changed();
  };
  const prior = button("Draw z from the prior", () => {
    model.set("seed", model.get("seed") + 1);
    // To the sliders' own step, so that what is shown is what was decoded.
    assign(Array.from(new Noise(model.get("seed")).normal(z.length), (v) => Math.round(10 * Math.max(-3, Math.min(3, v))) / 10));
  });
  const reset = button("Reset", () => assign(z.map(() => 0)));
  model.on("change:z", () => {
    const values = model.get("z");
    if (values.some((value, k) => value !== z[k])) assign(values);
  });

  const element = h(
    "div", { class: "gu-columns" },
    h("div", { class: "gu-picture" }, image.element, h("div", { class: "gu-buttons" }, prior, reset)),
    h("div", { class: "gu-sliders" }, ...sliders.map((s) => s.element)),
  );
  return { element, first: draw };
}

export default { render };
