// Draws of noise on their way through the layers of a flow, coloured by where they began.

import "./style.css";
import { byDirection, paintAxes, planeCanvas } from "../../lib/canvas.js";
import { button, h, setter, slider } from "../../lib/elements.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

const GLIDE_MS = 350; // from one state to the next
const REST_MS = 650; // there, while the layers play

function buildFlowLayers(view) {
  const { model, graphs } = view;
  const [draws, layers, limit, palette, data] = ["draws", "layers", "limit", "palette", "data"].map((name) =>
    model.get(name),
  );
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const text = h("p", { class: "gu-hint", role: "status" });
  let states = null; // one after the other, draws × 2 each
  let members = null; // of each colour, by the direction in which they began
  let shown = 0; // the state that is painted; between two states while the points glide

  const look = {
    class: "gu-map",
    role: "img",
    "aria-label": "A thousand points where this layer puts them, coloured by where they began",
  };
  const map = planeCanvas(view, look, limit, (context, toPixels) => {
    if (states)
      paintState(context, toPixels, {
        states,
        members,
        shown,
        draws,
        palette,
        limit,
        data,
        layers,
        colour: model.get("colours").data,
      });
  });
  const paint = (at) => {
    shown = at;
    map.repaint();
  };

  // Straight lines between two states are a help for the eye: what lies on them is no state of the flow.
  let frame = null;
  view.onEnd(() => cancelAnimationFrame(frame));
  const glide = () => {
    const began = performance.now();
    const [from, to] = [shown, model.get("layer")];
    cancelAnimationFrame(frame);
    const move = () => {
      const t = still.matches ? 1 : Math.min(1, (performance.now() - began) / GLIDE_MS);
      paint(t === 1 ? to : from + (to - from) * t * t * (3 - 2 * t));
      if (t < 1) frame = requestAnimationFrame(move);
      else map.element.dataset.layer = to;
    };
    move();
    text.textContent = nameOf(to, layers);
    map.element.dataset.ms = performance.now() - began;
  };

  const push = latest(async () => {
    const began = performance.now();
    const seed = model.get("seed");
    const z = new Noise(seed).normal(2 * draws);
    states = (await graphs.run("path", { z: { data: z, dims: [draws, 2] } })).states.data;
    members = byDirection(z, palette.length);
    paint(shown);
    text.textContent = nameOf(model.get("layer"), layers);
    map.element.dataset.layer = model.get("layer");
    map.element.dataset.seed = seed;
    map.element.dataset.ms = performance.now() - began;
  });

  const set = setter(model);
  let playing = null;
  const stop = () => {
    clearTimeout(playing);
    playing = null;
    play.textContent = "Play";
  };
  view.onEnd(() => clearTimeout(playing));
  const next = () => {
    if (model.get("layer") === layers - 1) return stop();
    set({ layer: model.get("layer") + 1 });
    playing = setTimeout(next, GLIDE_MS + REST_MS);
  };
  const play = button(
    "Play",
    () => {
      if (playing !== null) return stop();
      play.textContent = "Stop";
      if (model.get("layer") === layers - 1) set({ layer: 0 });
      playing = setTimeout(next, REST_MS);
    },
    "Stop",
  );
  const layer = slider({
    label: "Layer",
    symbol: "layer",
    format: String,
    min: 0,
    max: layers - 1,
    step: 1,
    value: model.get("layer"),
    oninput: (value) => {
      stop();
      set({ layer: value });
    },
  });
  // Layer and seed are kept in the model alone: slider, player and Python all change them there.
  model.on("change:layer", () => {
    layer.set(model.get("layer"));
    glide();
  });
  model.on("change:seed", push);

  const fresh = button("New noise", () => set({ seed: model.get("seed") + 1 }));
  const element = h(
    "div",
    { class: "gu-columns" },
    h("div", { class: "gu-pad" }, map.element),
    h("div", { class: "gu-pad gu-layers" }, layer.element, text, h("div", { class: "gu-buttons" }, play, fresh)),
  );
  const poster = () => set({ layer: layers - 1 });
  return { element, first: push, poster };
}

function nameOf(layer, layers) {
  if (layer === 0) return "z: noise, drawn from N(0, I). A colour is the direction in which a point starts.";
  if (layer === layers - 1)
    return "x: the same points back on the scale of the data, and real data under them (blue).";
  return `After ${layer} of ${layers - 2} couplings.`;
}

function paintState(context, toPixels, { states, members, shown, draws, palette, limit, data, layers, colour }) {
  paintAxes(context, toPixels, limit);
  context.globalAlpha = 0.35 * Math.max(0, shown - layers + 2); // only under the last state
  context.fillStyle = colour;
  for (const point of context.globalAlpha > 0 ? data : []) {
    const [x, y] = toPixels(point);
    context.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
  context.globalAlpha = 1;
  const below = Math.min(Math.floor(shown), layers - 2);
  const [part, start, end] = [shown - below, 2 * draws * below, 2 * draws * (below + 1)];
  palette.forEach((shade, k) => {
    context.fillStyle = shade;
    context.beginPath();
    for (const i of members[k]) {
      const at = [0, 1].map((axis) => (1 - part) * states[start + 2 * i + axis] + part * states[end + 2 * i + axis]);
      const [x, y] = toPixels(at);
      context.moveTo(x, y);
      context.arc(x, y, 2, 0, 2 * Math.PI);
    }
    context.fill();
  });
}

export default widget(buildFlowLayers);
