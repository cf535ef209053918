// What the widgets that sample from a diffusion model share. A graph takes each step, schedule and guidance included.

import { h, setter } from "./elements.js";
import { scalar } from "./graphs.js";

const IMAGE = [1, 1, 28, 28];
export const imageTensor = (data) => ({ data, dims: IMAGE });
export const standardNoise = (noise) => imageTensor(noise.normal(784));

// Take the steps from number `start` down to 1, of `steps` in all. For each, yield the state before it and the network's
// guess of x₀ there, as pictures, and the state's time.
export async function* denoisingSteps(graphs, xStart, noise, { start, ...numbers }) {
  const settings = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, scalar(value)]));
  let x = xStart;
  for (let i = start; i > 0; i--) {
    const found = await graphs.run("step", { x, noise: standardNoise(noise), i: scalar(i), ...settings });
    x = found.x_next;
    yield { picture: found.picture.data, guess: found.guess.data, time: found.time.data[0] };
  }
}

const SHORTEST_MS = 350; // for all steps, if they can be computed faster: so that the reader sees the picture change
const FRAME_MS = 40; // between two frames, if they can't

// Make showStep(paint), to be called after each step: it paints when a frame is due. Readers who asked for less motion
// see the end alone.
export function stepFrames(view, steps) {
  const lessMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const began = performance.now();
  let [done, shown] = [0, began];
  return async (paint) => {
    done += 1;
    const now = performance.now();
    const early = now - began < (SHORTEST_MS * done) / steps;
    if (lessMotion || (!early && now - shown < FRAME_MS)) return;
    paint();
    await view.nextFrame();
    shown = performance.now();
  };
}

// A button for every label and one for none. The trait `label` follows: a label's number, or the number of labels for
// none.
export function labelButtons(model) {
  const classes = model.get("classes");
  const set = setter(model);
  const buttons = [...classes, "no label"].map((name, label) => {
    const text = label < classes.length ? `Label ${name}` : "No label";
    const look = { type: "button", class: "gu-button", "aria-label": text, onclick: () => set({ label }) };
    return h("button", look, name);
  });
  const show = () => {
    for (const [label, each] of buttons.entries()) each.setAttribute("aria-pressed", label === model.get("label"));
  };
  const look = classes.some((name) => name.length > 2) ? "gu-labels gu-named" : "gu-labels";
  show();
  model.on("change:label", show);
  const group = h("div", { class: look, role: "group", "aria-label": "Label" }, ...buttons);
  return h("div", { class: "gu-labels-around" }, group);
}
