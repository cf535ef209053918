// EM on a mixture of Gaussians in the plane: the reader sets points, and steps or runs from a seeded start.

import "./style.css";
import { arrowMoves, drawnCanvas, placeOnPlane, planeCanvas } from "../../lib/canvas.js";
import { paintChart, roundTicks } from "../../lib/chart.js";
import { button, h, reserve, setter, slider } from "../../lib/elements.js";
import { rgb } from "../../lib/images.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

const PAUSE_MS = 80; // between the steps of a run
const REACH = 10; // CSS pixels from a point that a click removes it from

function buildEMSteps(view) {
  const { model, graphs } = view;
  const [limit, palette, choices, room, most, settled] = [
    "limit",
    "palette",
    "choices",
    "room",
    "most",
    "settled",
  ].map((name) => model.get(name));
  const [points, components, seed] = ["points", "components", "seed"].map((name) => () => model.get(name));
  const initial = { points: points(), components: components(), seed: seed() };
  const em = emState(graphs, { limit, room });
  let running = false;
  let ended = ""; // how the last run ended

  const pad = pointPad(view, {
    label:
      "Plane of points: a click adds a point or removes the one under it; arrow keys move a cursor, Enter adds or removes there",
    limit,
    points,
    draw: (context, toPixels) => paintMixture(context, toPixels, { palette, ...em.shown }),
    onchange: (changed) => changed.length <= room && set({ points: changed }),
  });
  const look = { class: "gu-curve", role: "img", "aria-label": "Mean log-likelihood after each step of EM, in nats" };
  const curve = drawnCanvas(view, look, (context, width, height) =>
    paintCurve(context, width, height, em.history, model.get("colours").model),
  );
  const reading = h("p", { class: "gu-hint" });
  const message = h("p", { class: "gu-hint", role: "status" });

  const show = () => {
    const [step, value] = [em.history.length - 1, em.history.at(-1)];
    reading.textContent = em.history.length
      ? `Step ${step}: mean log p(x) = ${value.toFixed(3).replace("-", "−")} nats. ${ended}`
      : "";
    message.textContent = em.trouble || invitation(points().length, room);
    message.classList.toggle("gu-alert", Boolean(em.trouble));
    run.textContent = running ? "Stop" : "Run";
    count.set(choices.indexOf(components()));
    pad.repaint();
    curve.repaint();
    const numbers = Object.entries(em.parameters ?? {}).map(([name, { data }]) => [name, Array.from(data)]);
    const state = { step, value, running, trouble: em.trouble, points: points().length, seed: seed() };
    pad.element.dataset.shown = JSON.stringify({ ...state, ...Object.fromEntries(numbers) });
  };

  // One thing at a time, in the order of the clicks.
  let queue = Promise.resolve();
  const doNext = (work) => (queue = queue.then(work).then(show));
  const halt = () => {
    running = false;
    ended = "";
  };
  const restart = () => {
    halt();
    return doNext(() => em.restart(points(), components(), seed()));
  };
  const refit = () => {
    halt();
    return doNext(() => em.setPoints(points(), components(), seed()));
  };
  const step = () => {
    halt();
    return doNext(em.step);
  };
  const toggle = async () => {
    const wasRunning = running;
    halt();
    if (wasRunning) return show();
    running = true;
    for (let n = 0; running && n < most && !em.trouble; n++) {
      const before = em.history.at(-1);
      await doNext(em.step);
      if (!em.trouble && em.history.at(-1) - before < settled) ended = "EM has settled.";
      if (ended) break;
      await view.sleep(PAUSE_MS);
    }
    running = false;
    show();
  };

  // Points, K and seed are kept in the model alone: page and Python both change them there.
  const set = setter(model);
  model.on("change:points", refit);
  model.on("change:components change:seed", restart);

  const count = slider({
    label: "Number of components K",
    symbol: "<i>K</i>",
    format: (i) => String(choices[i]),
    min: 0,
    max: choices.length - 1,
    step: 1,
    value: choices.indexOf(components()),
    oninput: (i) => set({ components: choices[i] }),
  });
  const run = button("Run", toggle, "Stop");
  const reset = () => {
    set(initial);
    restart(); // what stayed the same may have been fitted
  };
  const element = h(
    "div",
    { class: "gu-columns" },
    h(
      "div",
      { class: "gu-pad" },
      pad.element,
      reserve(message, invitation(888, room), collapsed(choices.at(-1), "one point")),
    ),
    h(
      "div",
      { class: "gu-plot" },
      count.element,
      h(
        "div",
        { class: "gu-buttons" },
        button("New start", () => set({ seed: seed() + 1 })),
        button("Step", step),
        run,
      ),
      reserve(reading, "Step 888: mean log p(x) = −88.888 nats. EM has settled."),
      curve.element,
      h(
        "div",
        { class: "gu-buttons" },
        button("No points", () => set({ points: [] })),
        button("Reset", reset),
      ),
    ),
  );
  return { element, first: restart, poster: toggle };
}

// EM's parameters, the mean log p(x) of each step since its start, and what a picture of now shows.
function emState(graphs, { limit, room }) {
  const em = { parameters: null, history: [], shown: { points: [] }, trouble: "" };
  let [points, K, next] = [[], 0, null];

  const picture = (components, parameters) => {
    const [x, weight] = [new Float32Array(2 * room), new Float32Array(room).fill(1, 0, points.length)];
    x.set(points.flat());
    return graphs.run(`steps${components}`, {
      x: { data: x, dims: [room, 2] },
      weight: { data: weight, dims: [room] },
      ...parameters,
    });
  };
  const adopt = async (parameters) => {
    const found = await picture(K, parameters);
    const [value] = found.log_likelihood.data;
    em.parameters = parameters;
    if (Number.isFinite(value)) em.history.push(value);
    const [outline, mu] = [found.outline.data, parameters.mu.data];
    em.trouble = collapse(parameters, outline, points.length, 0.005 * limit);
    // The colours of the step before stay where a component that collapsed left none.
    const kept = em.trouble && em.shown.responsibilities;
    em.shown = { points, mu, outline, responsibilities: kept || found.responsibilities.data };
    next = Object.fromEntries(["pi", "mu", "covariance"].map((name) => [name, found[`new_${name}`]]));
  };

  em.step = () => em.trouble || adopt(next);
  em.restart = async (newPoints, components, seed) => {
    [points, K] = [newPoints, components];
    Object.assign(em, { parameters: null, history: [], shown: { points } });
    const different = new Map(points.map((point) => [String(point), point])).size;
    const needed = Math.max(3, K);
    em.trouble = different < needed ? `Add points: this needs at least ${needed} different ones.` : "";
    if (em.trouble) return;
    const [noise, chosen] = [new Noise(seed), new Map()];
    while (chosen.size < K) {
      const point = points[Math.floor(noise.uniform() * points.length)];
      chosen.set(String(point), point);
    }
    // A step of a single Gaussian, wherever it starts, finds the covariance of all points.
    const tensor = (data, ...dims) => ({ data: Float32Array.from(data), dims });
    const wide = tensor([limit ** 2, 0, 0, limit ** 2], 1, 2, 2);
    const all = await picture(1, { pi: tensor([1], 1), mu: tensor([0, 0], 1, 2), covariance: wide });
    const covariance = tensor(Array(K).fill(Array.from(all.new_covariance.data)).flat(), K, 2, 2);
    await adopt({ pi: tensor(Array(K).fill(1 / K), K), mu: tensor([...chosen.values()].flat(), K, 2), covariance });
    if (em.trouble) em.trouble = "All points lie on a line: add one beside it.";
  };
  // Keep the parameters, if there are any, for other points.
  em.setPoints = async (newPoints, components, seed) => {
    if (!em.parameters || em.trouble || newPoints.length <= K) return em.restart(newPoints, components, seed);
    points = newPoints;
    em.history = [];
    return adopt(em.parameters);
  };
  return em;
}

const invitation = (n, room) => `Click to add a point, click a point to remove it: ${n} of at most ${room}.`;
const collapsed = (k, place) =>
  `Component ${k} has collapsed on ${place}: its likelihood grows without limit. Press New start.`;

// Say which component has no width left, if one has: its outline is thinner than `tiny`, or no longer finite.
function collapse({ pi, covariance }, outline, N, tiny) {
  const K = pi.data.length;
  const half = outline.length / K / 4; // points on half an outline
  for (let k = 0; k < K; k++) {
    const at = (i) => outline.subarray(2 * (2 * half * k + i), 2 * (2 * half * k + i) + 2);
    const across = Array.from({ length: half }, (_, i) =>
      Math.hypot(at(i)[0] - at(i + half)[0], at(i)[1] - at(i + half)[1]),
    );
    if (Math.min(...across) > tiny) continue;
    const isPoint = N * pi.data[k] < 1.5 || Math.max(covariance.data[4 * k], covariance.data[4 * k + 3]) < tiny ** 2;
    return collapsed(k + 1, isPoint ? "one point" : "a line");
  }
  return "";
}

// A plane where a click or a tap adds a point, or removes the one that it hits; so does Enter at a cursor.
function pointPad(view, { label, limit, points, draw, onchange }) {
  const cursor = [0, 0];
  const look = {
    class: "gu-plane gu-tap",
    role: "application",
    "aria-roledescription": "plane",
    "aria-label": label,
    tabindex: 0,
  };
  const { element, repaint } = planeCanvas(view, look, limit, (context, toPixels) => {
    draw(context, toPixels);
    if (!element.matches(":focus-visible")) return;
    const [x, y] = toPixels(cursor);
    context.lineWidth = 2;
    context.strokeStyle = getComputedStyle(element).color;
    context.beginPath();
    context.arc(x, y, REACH, 0, 2 * Math.PI);
    [
      [-1, 0],
      [1, 0],
      [0, -1],
      [0, 1],
    ].forEach(([dx, dy]) => {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 15 * dx, y + 15 * dy);
    });
    context.stroke();
  });
  // Add a point at a place, or remove the one that is there.
  const toggle = (place) => {
    const reach = (REACH / element.clientWidth) * 2 * limit;
    const away = points().map(([x, y]) => Math.hypot(x - place[0], y - place[1]));
    const nearest = away.indexOf(Math.min(...away));
    const rounded = place.map((v) => Math.round(100 * v) / 100);
    onchange(away[nearest] < reach ? points().filter((_, i) => i !== nearest) : [...points(), rounded]);
  };
  element.addEventListener("click", (event) => toggle(placeOnPlane(event, limit)));
  const arrows = arrowMoves(limit / 40);
  element.addEventListener("keydown", (event) => {
    const isEnter = event.key === "Enter" || event.key === " ";
    if (!isEnter && !(event.key in arrows)) return;
    event.preventDefault();
    if (isEnter) return toggle(cursor);
    arrows[event.key].forEach((move, i) => (cursor[i] = Math.max(-limit, Math.min(limit, cursor[i] + move))));
    repaint();
  });
  element.addEventListener("focus", repaint);
  element.addEventListener("blur", repaint);
  return { element, repaint };
}

// The points in their components' colours, mixed by responsibility; each component's outline, and its number.
function paintMixture(context, toPixels, { palette, points, responsibilities, outline, mu }) {
  const colours = palette.map(rgb);
  const K = mu ? mu.length / 2 : 0;
  const edge = context.strokeStyle;
  points.forEach((point, i) => {
    const mix = [0, 1, 2].map((c) =>
      colours.slice(0, K).reduce((sum, colour, k) => sum + responsibilities[K * i + k] * colour[c], 0),
    );
    context.fillStyle = K ? `rgb(${mix.map(Math.round).join(", ")})` : edge;
    context.beginPath();
    context.arc(...toPixels(point), 4.5, 0, 2 * Math.PI);
    context.fill();
    context.globalAlpha = 0.35;
    context.lineWidth = 1;
    context.stroke();
    context.globalAlpha = 1;
  });
  const size = outline ? outline.length / K : 0;
  for (let k = 0; k < K; k++) {
    context.strokeStyle = palette[k];
    context.lineWidth = 3;
    context.beginPath();
    for (let i = size * k; i < size * (k + 1); i += 2) context.lineTo(...toPixels([outline[i], outline[i + 1]]));
    context.closePath();
    context.stroke();
  }
  context.font = "700 13px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let k = 0; k < K; k++) {
    const [x, y] = toPixels([mu[2 * k], mu[2 * k + 1]]);
    context.fillStyle = palette[k];
    context.strokeStyle = k === 0 ? "#fff" : "#000";
    context.lineWidth = 1;
    context.beginPath();
    context.arc(x, y, 10, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.fillStyle = context.strokeStyle;
    context.fillText(k + 1, x, y + 1);
  }
}

// The mean log p(x) of the parameters after each step.
function paintCurve(context, width, height, history, colour) {
  const [low, high] = history.length ? [Math.min(...history), Math.max(...history)] : [-1, 0];
  const spare = Math.max(0.1 * (high - low), 0.02);
  const [xRange, yRange] = [
    [0, Math.max(10, history.length - 1)],
    [low - spare, high + spare],
  ];
  const { toX, toY } = paintChart(context, width, height, {
    x: { range: xRange, ticks: roundTicks(xRange), name: "step of EM" },
    y: { range: yRange, ticks: roundTicks(yRange), name: "mean log p(x) / nats" },
  });
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  history.forEach((value, step) => context.lineTo(toX(step), toY(value)));
  context.stroke();
  if (!history.length) return;
  context.beginPath();
  context.arc(toX(history.length - 1), toY(history.at(-1)), 4, 0, 2 * Math.PI);
  context.fill();
}

export default widget(buildEMSteps);
