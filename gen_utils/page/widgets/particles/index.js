// A thousand particles on their way from noise to data, under the exact score and under a learned one. Graphs do
// every step; here noise is drawn, states are kept, and pictures of them are painted.

import "./style.css";
import { byDirection, drawnCanvas } from "../../lib/canvas.js";
import { button, h, reserve, setter, slider, tallies } from "../../lib/elements.js";
import { scalar } from "../../lib/graphs.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

const RUN_MS = 4000; // that a run takes, however many steps it has,
const STEP_MS = 700; // unless they are so few that each would take longer than this
const STEPWISE_MS = 600; // between two states for readers who asked for less motion,
const STEPWISE_STATES = 8; // and how many of a run they see
const CHUNK_MS = 10; // of computing between two frames: the page has the rest of the frame
const PATIENCE_MS = 300; // of computing states after the settings have changed

const SCORES = ["exact", "learned"];
const percent = (part) => `${(100 * part).toFixed(1)} %`;
// Parts of all particles that are counted, and how large they are for real data, in percent.
const OF_DATA = [
  ["inside the inner line", 50],
  ["outside the outer line", 1],
];
const HINTS = {
  start: "Noise, the same on both sides. A colour is the direction in which a particle starts.",
  between: "On the way. Grey lines lead from their dots where the score points, further where it is stronger.",
  end: "The end. Blue: real data. The lines go around the densest 50 % and 99 % of them.",
};

function buildParticles(view) {
  const { model } = view;
  const [limit, palette, choices, particles, data, lines] = [
    "limit",
    "palette",
    "choices",
    "particles",
    "data",
    "lines",
  ].map((name) => model.get(name));
  const colours = model.get("colours");
  const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  const begin = runs(view, particles, palette.length);
  let run = null; // under the settings of now
  let position = 0; // in steps since the start; between two states while the particles glide
  let shown = null; // the run and position that are painted: what is computed meanwhile takes their place when it is there
  let goal = null; // the position where playing will stop, while it plays
  let gliding = false;
  let inView = true;
  let steps = model.get("steps");

  const panels = SCORES.map((score) => {
    const look = {
      class: "gu-map",
      role: "img",
      "aria-label": `A thousand particles under the ${score} score, over the data`,
    };
    const { element, repaint } = drawnCanvas(view, look, (context, side) => {
      const place = (value) => ((value + limit) / (2 * limit)) * side;
      paintData(context, place, data, colours.data);
      if (shown) paintParticles(context, place, { ...shown, score, palette, side, colour: colours.noise });
      paintLines(context, place, lines, getComputedStyle(element).color);
    });
    const tally = tallies(OF_DATA.map(([name, real]) => [name, h("br"), `data:\u00a0${real}\u00a0%`]));
    const name = h("div", { class: "gu-caption" }, h("b", {}, `${score} score`));
    return { score, canvas: element, repaint, tally, element: h("div", {}, name, element, tally.element) };
  });
  const status = h("p", { class: "gu-hint", role: "status" });

  const show = () => {
    time.set(Math.floor(position), steps);
    const { settings, states } = shown.run;
    const hint = HINTS[shown.position === 0 ? "start" : shown.position === settings.steps ? "end" : "between"];
    if (status.textContent !== hint) status.textContent = hint;
    for (const { score, canvas, repaint, tally } of panels) {
      const { shares } = states[Math.floor(shown.position)][score];
      tally.set(Array.from(shares, percent));
      repaint();
      canvas.dataset.shown = JSON.stringify({
        ...settings,
        position: shown.position,
        playing: goal !== null,
        shares: Array.from(shares),
      });
    }
  };

  // Compute what the settings and the position of now need, and show it.
  const settle = latest(async () => {
    const settings = Object.fromEntries(["steps", "eta", "seed"].map((name) => [name, model.get(name)]));
    const isWanted = () => Object.entries(settings).every(([name, value]) => model.get(name) === value);
    if (JSON.stringify(run?.settings) !== JSON.stringify(settings)) run = begin(settings);
    const wanted = Math.min(position, settings.steps);
    if (!(await run.reach(Math.min(Math.floor(wanted) + 1, settings.steps), isWanted))) return; // and is called again
    shown = { run, position: wanted };
    show();
  });

  // The settings are kept in the model alone: page and Python both change them there.
  const set = setter(model);
  const showSettings = () => {
    choices.forEach((choice, i) => counts[i].setAttribute("aria-pressed", choice === model.get("steps")));
    eta.set(model.get("eta"));
    time.set(Math.floor(position), steps);
  };
  model.on("change:steps", () => {
    position = Math.round((position / steps) * model.get("steps")); // the same part of the way, so that ends can be compared
    steps = model.get("steps");
    if (goal !== null) aim(steps);
  });
  model.on("change:steps change:eta change:seed", () => {
    showSettings();
    return settle();
  });

  const aim = (place) => {
    goal = place;
    play.textContent = goal === steps ? "Pause" : "Play";
  };
  const goTo = (place) => {
    aim(null);
    position = place;
    return settle();
  };
  const playTo = async (place) => {
    aim(place);
    if (gliding) return;
    gliding = true;
    let before = await view.nextFrame();
    while (goal !== null && position < goal) {
      const now = await view.nextFrame(); // a hidden tab has none: the particles wait with it
      const passed = now - before;
      if (lessMotion.matches && passed < STEPWISE_MS) continue;
      before = now;
      if (goal === null || !inView || run !== shown.run) continue;
      const glide = Math.min(passed, 50) / Math.min(STEP_MS, RUN_MS / steps);
      position = Math.min(goal, position + (lessMotion.matches ? Math.ceil(steps / STEPWISE_STATES) : glide));
      await settle();
    }
    aim(null);
    gliding = false;
    show();
  };
  const time = positionSlider(goTo);
  const play = button(
    "Play",
    () => {
      if (goal === steps) return playTo(Math.ceil(position)); // a pause comes when the particles are where a step ends
      if (position === steps) position = 0;
      return playTo(steps);
    },
    "Pause",
  );
  const once = button("One step", () => playTo(Math.min(Math.floor(position) + 1, steps)));
  const back = button("Back to the start", () => goTo(0));
  const counts = choices.map((choice) => button(String(choice), () => set({ steps: choice })));
  const eta = slider({
    label: "η, noise in each step: 0 for none, DDIM; 1 for ancestral sampling",
    symbol: "noise η",
    min: 0,
    max: 1,
    step: 0.1,
    value: model.get("eta"),
    oninput: (value) => set({ eta: value }),
  });
  const fresh = button("New noise", () => set({ seed: model.get("seed") + 1 }));
  const element = h(
    "div",
    { class: "gu-particles" },
    h("div", { class: "gu-pair" }, ...panels.map((panel) => panel.element)),
    time.element,
    h("div", { class: "gu-buttons gu-turns" }, play, once, back, fresh),
    h(
      "div",
      { class: "gu-setting" },
      h("span", { "aria-hidden": "true" }, "steps"),
      h("div", { class: "gu-buttons", role: "group", "aria-label": "Number of steps" }, ...counts),
    ),
    eta.element,
    reserve(status, ...Object.values(HINTS)),
  );
  const observer = new IntersectionObserver((entries) => {
    inView = entries.at(-1).isIntersecting;
  });
  view.observe(observer, element);
  panels.forEach(({ canvas, score }) => (canvas.states = () => shown.run.states.map((state) => state[score].x))); // $0.states() in the console
  const first = () => {
    showSettings();
    return settle();
  };
  return { element, first, poster: () => playTo(steps) };
}

// A slider through the states of a run, which may have more or fewer of them from one time to the next.
function positionSlider(oninput) {
  let last = 1;
  const made = slider({
    label: "Steps done",
    symbol: "step",
    min: 0,
    max: last,
    step: 1,
    value: 0,
    format: (step) => `${step} of ${last}`,
    oninput,
  });
  const set = (step, steps) => {
    last = made.element.querySelector("input").max = steps;
    made.set(step);
  };
  return { element: made.element, set };
}

// ---- The particles between their steps ----------------------------------------------------------------------

// Makes runs under both scores. All noise is one stream from the seed; particles.py draws the same.
function runs(view, particles, sectors) {
  const { graphs } = view;
  let noise = {};
  const draw = (seed, number) => {
    if (noise.seed !== seed) noise = { seed, source: new Noise(seed), drawn: [] };
    while (noise.drawn.length <= number) noise.drawn.push(noise.source.normal(2 * particles));
    return noise.drawn[number];
  };
  const points = (data) => ({ data, dims: [particles, 2] });
  const state = async (x) => ({ x, shares: (await graphs.run("judge", { x: points(x) })).shares.data });

  return (settings) => {
    const { steps, eta, seed } = settings;
    const start = draw(seed, 0);
    const run = { settings, states: [], members: byDirection(start, sectors) };
    const begin = async () => run.states.push({ exact: await state(start), learned: await state(start) });
    const advance = async () => {
      const [now, next] = [run.states.at(-1), {}];
      const done = run.states.length - 1;
      for (const score of SCORES) {
        const given = {
          noise: points(draw(seed, done + 1)),
          i: scalar(steps - done),
          steps: scalar(steps),
          eta: scalar(eta),
        };
        const found = await graphs.run(score, { x: points(now[score].x), ...given });
        now[score].arrows = found.arrows.data; // of the score that leads on from here
        next[score] = await state(found.x_next.data);
      }
      run.states.push(next);
    };
    // Compute all states up to `last`, and return whether they are still wanted.
    run.reach = async (last, isWanted) => {
      const began = performance.now();
      let rested = began;
      if (!run.states.length) await begin();
      while (run.states.length <= last) {
        await advance();
        if (performance.now() - began > PATIENCE_MS && !isWanted()) return false;
        if (performance.now() - rested > CHUNK_MS) rested = await view.nextFrame();
      }
      return true;
    };
    return run;
  };
}

// ---- What it looks like -------------------------------------------------------------------------------------

// Real points. `place` gives how far from the left a number lies; from the top lies its negative.
function paintData(context, place, data, colour) {
  context.globalAlpha = 0.3;
  context.fillStyle = colour;
  for (const [x, y] of data) context.fillRect(place(x) - 1, place(-y) - 1, 2, 2);
  context.globalAlpha = 1;
}

// The borders of the data's densest regions.
function paintLines(context, place, lines, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  lines.forEach((borders, outer) => {
    context.setLineDash(outer ? [2, 3] : [5, 3]);
    context.beginPath();
    for (const border of borders)
      border.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](place(x), place(-y)));
    context.stroke();
  });
  context.setLineDash([]);
}

// The particles, on straight lines between two states: a help for the eye, what lies on them is no state. Under them the
// score that moves them there, as lines that end at most half a cell from their dots.
function paintParticles(context, place, { run, position, score, palette, side, colour }) {
  const step = Math.floor(position);
  const [from, to] = [run.states[step][score], run.states[Math.min(step + 1, run.settings.steps)][score]];
  if (from.arrows) paintArrows(context, from.arrows, side, colour);
  const part = position - step;
  const radius = side < 250 ? 1.2 : 2;
  palette.forEach((shade, direction) => {
    context.fillStyle = shade;
    context.beginPath();
    for (const i of run.members[direction]) {
      const x = place((1 - part) * from.x[2 * i] + part * to.x[2 * i]);
      const y = place(-(1 - part) * from.x[2 * i + 1] - part * to.x[2 * i + 1]);
      context.moveTo(x, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.fill();
  });
}

function paintArrows(context, arrows, side, colour) {
  const across = Math.sqrt(arrows.length / 2);
  const cell = side / across;
  context.strokeStyle = context.fillStyle = colour;
  context.globalAlpha = 0.7;
  context.lineWidth = side < 250 ? 0.75 : 1;
  context.beginPath();
  for (let i = 0; i < across ** 2; i++) {
    const [x, y] = [(Math.floor(i / across) + 0.5) * cell, (across - (i % across) - 0.5) * cell];
    const [dx, dy] = [arrows[2 * i], -arrows[2 * i + 1]];
    const scale = (0.8 * cell) / Math.max(2, Math.hypot(dx, dy));
    context.moveTo(x, y);
    context.lineTo(x + scale * dx, y + scale * dy);
    context.fillRect(x - context.lineWidth, y - context.lineWidth, 2 * context.lineWidth, 2 * context.lineWidth);
  }
  context.stroke();
  context.globalAlpha = 1;
}

export default widget(buildParticles);
