// A slider for every unit of z, those that carry most first, and buttons that set them all: for LatentSliders and
// ConditionalSliders. The traits `z` and `seed` follow.

import { button, h, setter, slider } from "./elements.js";
import { Noise } from "./noise.js";

// `draw(z)` is called for every change.
export function unitSliders(model, draw) {
  const rates = model.get("rates");
  const unused = model.get("unused");
  const unit = model.get("unit"); // of the rates
  const z = [...model.get("z")];
  const set = setter(model);
  const changed = () => {
    set({ z: [...z] });
    return draw([...z]);
  };

  const order = rates.map((_, k) => k).sort((a, b) => rates[b] - rates[a]);
  const sliders = order.map((k) =>
    slider({
      label: `Latent unit ${k + 1}`,
      symbol: `<i>z</i><sub>${k + 1}</sub>`,
      min: -3,
      max: 3,
      step: 0.1,
      value: z[k],
      unused: rates[k] < unused,
      note: `${rates[k] < unused ? "unused: " : ""}${rates[k].toFixed(2)} ${unit}`,
      oninput: (value) => {
        z[k] = value;
        changed();
      },
    }),
  );
  const assign = (values) => {
    for (const [k, value] of values.entries()) z[k] = value;
    for (const [i, k] of order.entries()) sliders[i].set(z[k]);
    return changed();
  };
  // Nats count information beyond a prior; rates in another unit need not have one.
  const prior = button(unit === "nats" ? "Draw z from the prior" : "Draw z from N(0, I)", () => {
    model.set("seed", model.get("seed") + 1);
    const draws = Array.from(new Noise(model.get("seed")).normal(z.length));
    // To the sliders' own step, so that what is shown is what was decoded.
    assign(draws.map((v) => Math.round(10 * Math.max(-3, Math.min(3, v))) / 10));
  });
  const reset = button("Reset", () => assign(z.map(() => 0)));
  model.on("change:z", () => {
    const values = model.get("z");
    if (values.some((value, k) => value !== z[k])) assign(values);
  });

  return {
    sliders: h("div", { class: "gu-sliders" }, ...sliders.map(({ element }) => element)),
    buttons: h("div", { class: "gu-buttons" }, prior, reset),
    first: () => draw([...z]),
  };
}
