// Train a GAN in the page. Graphs do every update; here noise is drawn, weights are handed from one update to the
// next, and pictures of them are painted.

import "./style.css";
import { drawnCanvas } from "../../lib/canvas.js";
import { paintChart, roundTicks } from "../../lib/chart.js";
import { button, grouped, h, key, reserve, setter, slider, tallies } from "../../lib/elements.js";
import { scalar } from "../../lib/graphs.js";
import { rgb } from "../../lib/images.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

const CHUNK_MS = 10; // of training between two frames: the page has the rest of the frame
const PAINT_MS = 60; // between two pictures, while it trains
const SLOW_PAINT_MS = 1000; // the same for readers who asked for less motion

const POSTER_STEPS = 1000;

const DENSITIES = { ring: "Ring", grid: "Grid", moons: "Moons" };
const LOSSES = { minimax: "Minimax", non_saturating: "Non-saturating", wgan_gp: "WGAN-GP", r1: "R1" };
const FIELDS = ["D(x), from 0 to 1", "critic's score, low to high"];
const READY =
  "Press Start: discriminator and generator take turns. The generator draws with the mean of its latest weights.";

function buildGANTraining(view) {
  const { model, graphs } = view;
  const colours = model.get("colours");
  const settings = ["density", "loss", "lr", "d_steps", "seed"];
  const initial = Object.fromEntries(settings.map((name) => [name, model.get(name)]));
  const [sizes, updates, scenes] = ["sizes", "updates", "scenes"].map((name) => Object.fromEntries(model.get(name)));
  const gan = ganState(graphs, sizes, updates);
  const pace = speedometer();
  let running = false;
  let inView = true;
  let message = ""; // of the status line

  const look = {
    class: "gu-map",
    role: "img",
    "aria-label": "The plane: real points, generated points, and the discriminator's field under them",
  };
  const plane = drawnCanvas(
    view,
    look,
    (context, side) => gan.shown && paintPlane(context, side, scenes[gan.density], gan, colours),
  );
  const losses = {
    class: "gu-curve",
    role: "img",
    "aria-label": "The losses of discriminator and generator after each step",
  };
  const chart = drawnCanvas(view, losses, (context, width, height) =>
    paintLosses(context, width, height, gan.curves, colours),
  );
  const tally = tallies(["steps", "steps a second", "modes found", "samples near a mode"]);
  const ground = h("span");
  const status = h("p", { class: "gu-hint", role: "status" });

  const show = () => {
    const { found, shares, quality } = gan.shown;
    if (running && found === shares.length && !gan.complete) {
      gan.complete = gan.step;
      message = `All ${found} modes found by step ${grouped(gan.step)}.`;
    }
    tally.set([grouped(gan.step), pace.text(), `${found} of ${shares.length}`, `${(100 * quality).toFixed(0)} %`]);
    ground.textContent = FIELDS[Number(gan.isCritic)];
    status.textContent = gan.trouble || message;
    status.classList.toggle("gu-alert", Boolean(gan.trouble));
    plane.repaint();
    chart.repaint();
    const numbers = {
      step: gan.step,
      density: gan.density,
      loss: gan.loss,
      found,
      quality,
      losses: gan.curves.map((each) => each.latest),
      rate: pace.rate,
    };
    plane.element.dataset.shown = JSON.stringify({
      ...numbers,
      running,
      trouble: gan.trouble,
      complete: gan.complete,
      seed: gan.seed,
    });
  };
  const showControls = () => {
    start.textContent = running ? "Pause" : "Start";
    for (const [name, choices] of [
      ["density", densities],
      ["loss", lossChoices],
    ]) {
      for (const [value, choice] of Object.entries(choices))
        choice.setAttribute("aria-pressed", value === model.get(name));
    }
    lr.set(Math.log10(model.get("lr")));
    dSteps.set(model.get("d_steps"));
  };

  // One thing at a time, in the order of the clicks.
  let queue = Promise.resolve();
  const doNext = (work) => (queue = queue.then(work));
  const step = () => gan.update(model.get("lr"), model.get("d_steps"));
  const picture = async () => {
    await gan.evaluate();
    show();
  };
  const halt = (text) => {
    [running, message] = [false, text];
    pace.stop();
    showControls();
  };
  const chunk = async () => {
    const [until, before] = [performance.now() + CHUNK_MS, gan.step];
    while (running && !gan.trouble && performance.now() < until) await step();
    pace.count(gan.step - before);
  };
  const train = async () => {
    [running, message, gan.trouble] = [true, "Training.", ""];
    showControls();
    const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
    let painted = -Infinity;
    while (running) {
      const now = await view.nextFrame(); // a hidden tab has none: training waits with it
      if (!inView) {
        pace.stop();
        continue;
      }
      await doNext(chunk);
      if (gan.trouble) halt("");
      if (now - painted < (lessMotion.matches ? SLOW_PAINT_MS : PAINT_MS) && !gan.trouble) continue;
      painted = now;
      await doNext(picture);
    }
  };
  const pause = () => {
    halt(`Paused at step ${grouped(gan.step)}.`);
    return doNext(picture);
  };
  const once = () => {
    halt("");
    gan.trouble = "";
    return doNext(step).then(() => doNext(picture));
  };
  const restart = (text) => {
    showControls();
    return doNext(async () => {
      pace.stop();
      message = text;
      await gan.restart(...["seed", "density", "loss"].map((name) => model.get(name)));
      show();
    });
  };

  // The settings are kept in the model alone: page and Python both change them there.
  const set = setter(model);
  model.on("change:density change:loss change:seed", () => restart(running ? "Training from a new start." : READY));
  model.on("change:lr change:d_steps", showControls);

  const choices = (name, texts) =>
    Object.fromEntries(
      Object.entries(texts).map(([value, text]) => [value, button(text, () => set({ [name]: value }))]),
    );
  const [densities, lossChoices] = [choices("density", DENSITIES), choices("loss", LOSSES)];
  const group = (name, members) =>
    h(
      "div",
      { class: "gu-setting" },
      h("span", { "aria-hidden": "true" }, name),
      h("div", { class: "gu-buttons", role: "group", "aria-label": name }, ...Object.values(members)),
    );
  const twoDigits = (exponent) => Number((10 ** exponent).toPrecision(2));
  const lr = slider({
    label: "Learning rate",
    symbol: "learning rate",
    min: -5,
    max: -1,
    step: 0.1,
    value: Math.log10(initial.lr),
    format: (exponent) => String(twoDigits(exponent)),
    oninput: (exponent) => set({ lr: twoDigits(exponent) }),
  });
  const dSteps = slider({
    label: "Updates of the discriminator for each of the generator",
    symbol: "D updates",
    min: 1,
    max: 5,
    step: 1,
    value: initial.d_steps,
    format: String,
    oninput: (n) => set({ d_steps: n }),
  });
  const start = button("Start", () => (running ? pause() : train()), "Pause");
  const reset = () => {
    halt("");
    return restart("The same start again.");
  };
  const toDefaults = () => {
    halt("");
    set(initial);
    return restart(READY);
  };
  const element = h(
    "div",
    { class: "gu-columns gu-gan", style: `--gu-accent: ${colours.decision}` },
    h(
      "div",
      { class: "gu-pad" },
      plane.element,
      h(
        "div",
        { class: "gu-keys gu-caption" },
        key(colours.data, "real"),
        key(colours.model, "generated"),
        h("span", {}, h("span", { class: "gu-shade" }), reserve(ground, ...FIELDS)),
      ),
      tally.element,
      h(
        "div",
        { class: "gu-buttons gu-runs" },
        start,
        button("Step", once),
        button("Reset", reset),
        button("New start", () => set({ seed: model.get("seed") + 1 })),
        button("Defaults", toDefaults),
      ),
      reserve(status, READY, divergence(888888, notFinite("discriminator", -8.88e38))),
    ),
    h(
      "div",
      { class: "gu-plot" },
      group("density", densities),
      group("loss", lossChoices),
      lr.element,
      dSteps.element,
      h(
        "div",
        { class: "gu-keys gu-caption" },
        key(colours.decision, "discriminator's loss"),
        key(colours.model, "generator's loss"),
      ),
      chart.element,
    ),
  );
  const observer = new IntersectionObserver((entries) => {
    inView = entries.at(-1).isIntersecting;
  });
  view.observe(observer, element);
  plane.element.gan = gan; // to see the weights: $0.gan.weights() in the console
  const poster = async () => {
    while (gan.step < POSTER_STEPS && !gan.trouble) await doNext(step);
    await doNext(picture);
  };
  return { element, first: () => restart(READY), poster };
}

// Steps a second over the last second or so of training without a break.
function speedometer() {
  let marks = [];
  const meter = { rate: 0 };
  meter.stop = () => (marks = []);
  meter.count = (steps) => {
    const now = performance.now();
    marks.push({ now, steps });
    while (marks.length > 2 && now - marks[0].now > 1000) marks.shift();
    const done = marks.slice(1).reduce((sum, mark) => sum + mark.steps, 0);
    if (now - marks[0].now > 200) meter.rate = (1000 * done) / (now - marks[0].now);
  };
  meter.text = () => (meter.rate ? grouped(Math.round(meter.rate)) : "–");
  return meter;
}

// ---- The two networks between their updates ---------------------------------------------------------------

// All noise is one stream from the seed; gan_training.py draws the same.
function ganState(graphs, { weights, latent, batch, samples, real, enough }, updates) {
  const gan = { step: 0, trouble: "", complete: 0, shown: null, curves: [] };
  let [noise, theta, phi, z, drawn] = []; // theta and phi: a network's weights and Adam's memory of them

  const normal = (...dims) => ({ data: noise.normal(dims.reduce((a, b) => a * b)), dims });
  const uniform = (...dims) => ({ data: noise.uniforms(dims.reduce((a, b) => a * b)), dims });
  const points = () => graphs.run(`data_${gan.density}`, { u: uniform(batch), eps: normal(batch, 2) });

  // An update of the network whose weights the graph calls `own`, from all that the graph needs to remember of it.
  const updated = async (player, own, net, feeds, lr) => {
    const found = await graphs.run(updates[gan.loss][player], {
      ...net.state,
      ...feeds,
      lr: scalar(lr),
      step: scalar(net.updates + 1),
    });
    const loss = found.loss.data[0];
    if (!Number.isFinite(loss)) throw new Diverged(`the ${player}'s loss became ${loss}`);
    const state = Object.fromEntries(Object.keys(net.state).map((name) => [name, found[`new_${name}`]]));
    if (!allFinite(state[own].data)) throw new Diverged(notFinite(player, loss));
    return { state, updates: net.updates + 1, loss };
  };

  // A step of training: `dSteps` updates of the discriminator, then one of the generator. If any of them diverges, none
  // is kept.
  gan.update = async (lr, dSteps) => {
    try {
      let discriminator = phi;
      for (let i = 0; i < dSteps; i++) {
        const feeds = {
          theta: theta.state.theta,
          x: (await points()).x,
          z: normal(batch, latent),
          u: uniform(batch, 1),
        };
        discriminator = await updated("discriminator", "phi", discriminator, feeds, lr);
      }
      theta = await updated(
        "generator",
        "theta",
        theta,
        { phi: discriminator.state.phi, z: normal(batch, latent) },
        lr,
      );
      phi = discriminator;
    } catch (error) {
      if (!(error instanceof Diverged)) throw error;
      gan.trouble = divergence(gan.step, error.message);
      return;
    }
    gan.step += 1;
    gan.curves.forEach((each, i) => each.add([phi, theta][i].loss));
  };
  gan.restart = async (seed, density, loss) => {
    Object.assign(gan, {
      seed,
      density,
      loss,
      isCritic: loss === "wgan_gp",
      step: 0,
      trouble: "",
      complete: 0,
      curves: [curve(), curve()],
    });
    noise = new Noise(seed);
    const first = await graphs.run("start", { noise: normal(weights) });
    const zeros = ({ data, dims }) => ({ data: new Float32Array(data.length), dims });
    const fresh = (own) => ({ state: { [own]: first[own], m: zeros(first[own]), v: zeros(first[own]) }, updates: 0 });
    [theta, phi] = [fresh("theta"), fresh("phi")];
    theta.state.average = first.theta;
    z = normal(samples, latent);
    drawn = [];
    for (let i = 0; i < real; i++) drawn.push(...(await points()).place.data);
    await gan.evaluate();
  };
  // What a picture of now shows: the generator with the mean of its late weights, which draws better than the last.
  gan.evaluate = async () => {
    const found = await graphs.run(`picture_${gan.density}`, { theta: theta.state.average, phi: phi.state.phi, z });
    const shares = Array.from(found.shares.data);
    const field = gan.isCritic ? found.score.data : found.field.data;
    gan.shown = {
      drawn,
      fake: found.fake.data,
      field,
      shares,
      isFound: shares.map((share) => share >= enough),
      quality: found.quality.data[0],
    };
    gan.shown.found = gan.shown.isFound.filter(Boolean).length;
  };
  gan.weights = () => ({ theta: theta.state.theta.data, phi: phi.state.phi.data, average: theta.state.average.data });
  return gan;
}

class Diverged extends Error {}

const notFinite = (player, loss) =>
  `the ${player}'s loss was ${loss.toPrecision(3)}, but not all its new weights are finite`;
const divergence = (step, reason) =>
  `Training diverged at step ${grouped(step + 1)}: ${reason}. These are the weights of step ${grouped(step)}. ` +
  "Lower the learning rate and press Start, or press New start.";

function allFinite(values) {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

// A loss over the steps, as means over so many steps that there are at most `most` of them.
function curve(most = 400) {
  const made = { means: [], stride: 1, latest: null };
  let [sum, n] = [0, 0];
  made.add = (value) => {
    made.latest = value;
    [sum, n] = [sum + value, n + 1];
    if (n < made.stride) return;
    made.means.push(sum / n);
    [sum, n] = [0, 0];
    if (made.means.length < most) return;
    made.means = Array.from({ length: most / 2 }, (_, i) => (made.means[2 * i] + made.means[2 * i + 1]) / 2);
    made.stride *= 2;
  };
  return made;
}

// ---- What it looks like -----------------------------------------------------------------------------------

// The field, the modes (an unbroken circle once found), the real points and the generated ones.
function paintPlane(context, side, { centre, limit, modes, radius }, { shown }, colours) {
  const toPixels = (x, y) => [
    ((x - centre[0] + limit) / (2 * limit)) * side,
    ((limit - y + centre[1]) / (2 * limit)) * side,
  ];
  paintField(context, side, shown.field, colours.decision);
  const dots = (points, colour, size) => {
    context.fillStyle = colour;
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = toPixels(points[i], points[i + 1]);
      context.fillRect(x - size / 2, y - size / 2, size, size);
    }
  };
  context.globalAlpha = 0.85;
  dots(shown.drawn, colours.data, 3.5);
  dots(shown.fake, colours.model, 3);
  context.globalAlpha = 1;
  modes.forEach(([x, y], k) => {
    context.lineWidth = shown.isFound[k] ? 2 : 1;
    context.setLineDash(shown.isFound[k] ? [] : [2, 3]);
    context.beginPath();
    context.arc(...toPixels(x, y), (radius / (2 * limit)) * side + 7, 0, 2 * Math.PI);
    context.stroke();
  });
  context.setLineDash([]);
}

// A square of numbers in [0, 1], row by row from the top, as more or less of a colour.
function paintField(context, side, values, colour) {
  const cells = Math.sqrt(values.length);
  const image = new ImageData(cells, cells);
  const ink = rgb(colour);
  for (let i = 0; i < values.length; i++) image.data.set([...ink, 150 * values[i]], 4 * i);
  const small = new OffscreenCanvas(cells, cells);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, side, side);
}

function paintLosses(context, width, height, curves, colours) {
  if (!curves.length) return;
  const all = curves.flatMap((each) => each.means);
  const last = roundUp(Math.max(200, curves[0].stride * curves[0].means.length));
  const [xRange, yRange] = [[0, 1.04 * last], wide(all.length ? all : [0, 1])]; // the last number has room on the right
  const { toX, toY } = paintChart(context, width, height, {
    x: { range: xRange, ticks: roundTicks(xRange), name: "step" },
    y: { range: yRange, ticks: roundTicks(yRange), name: "loss" },
  });
  context.lineWidth = 1.5;
  [colours.decision, colours.model].forEach((colour, i) => {
    context.strokeStyle = colour;
    context.beginPath();
    curves[i].means.forEach((value, n) => context.lineTo(toX((n + 1) * curves[i].stride), toY(value)));
    context.stroke();
  });
}

// Ranges that change seldom while values come in: to a round number above, and to round numbers around.
const roundUp = (value) =>
  [1, 2, 5, 10].map((m) => m * 10 ** Math.floor(Math.log10(value))).find((round) => round >= value);

function wide(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = roundUp(Math.max(high - low, 0.1) / 5);
  return [step * Math.floor(low / step - 0.2), step * Math.ceil(high / step + 0.2)];
}

export default widget(buildGANTraining);
