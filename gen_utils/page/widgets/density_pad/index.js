// Points on a line that a click or a key adds and removes, and three densities fitted to them.

import "./style.css";
import { drawnCanvas } from "../../lib/canvas.js";
import { button, h, reserve, setter, slider } from "../../lib/elements.js";
import { scalar } from "../../lib/graphs.js";
import { latest } from "../../lib/lifetime.js";
import { widget } from "../../lib/widget.js";

const KINDS = { train: "training points", held_out: "held-out points" };
const MARKS = { train: "●", held_out: "◇" };
const ROW = 26; // pixels: the points of each kind lie in a row of their own, under the curves
const [LEFT, RIGHT, ABOVE, BELOW] = [34, 10, 30, 2 * ROW + 34]; // around the curves

function buildDensityPad(view) {
  const { model, graphs } = view;
  const [most, grid, limit, names] = ["most", "grid", "limit", "names"].map((name) => model.get(name));
  const begin = { train: model.get("train"), held_out: model.get("held_out"), bandwidth: model.get("bandwidth") };
  const place = Float32Array.from({ length: grid }, (_, i) => ((2 * i) / (grid - 1) - 1) * limit);
  const hint = h("p", { class: "gu-hint", role: "status" });
  const table = scoreTable(names);
  let kind = "train";
  let density = null;
  const at = { cursor: 0 }; // of the keyboard

  const look = {
    class: "gu-line",
    role: "application",
    "aria-roledescription": "line of points",
    tabindex: 0,
    "aria-label":
      "Line of points: click, or move with the left and right arrow keys and press Enter, to add or remove a point",
  };
  const chart = drawnCanvas(view, look, (context, width, height) =>
    paintDensities(context, width, height, {
      names,
      limit,
      place,
      density,
      kind,
      colours: model.get("colours"),
      cursor: chart.element.matches(":focus-visible") ? at.cursor : null,
      points: Object.fromEntries(Object.keys(KINDS).map((k) => [k, model.get(k)])),
    }),
  );

  const showHint = (what = "") => {
    const [n, m] = Object.keys(KINDS).map((k) => model.get(k).length);
    hint.textContent = what || (n ? countOf(n, m) : "Click on the line to put training points there.");
  };
  const draw = latest(async () => {
    const began = performance.now();
    const shown = JSON.stringify(["train", "held_out", "bandwidth"].map((name) => model.get(name)));
    const feeds = { grid: { data: place, dims: [grid] }, bandwidth: scalar(model.get("bandwidth")) };
    for (const name of Object.keys(KINDS)) {
      const points = model.get(name);
      feeds[name] = { data: Float32Array.from({ length: most }, (_, i) => points[i] ?? 0), dims: [most] };
      feeds[`${name}_weight`] = {
        data: Float32Array.from({ length: most }, (_, i) => Number(i < points.length)),
        dims: [most],
      };
    }
    const any = model.get("train").length > 0;
    const found = await graphs.run("fit", feeds);
    density = any ? names.map((_, k) => found.density.data.subarray(k * grid, (k + 1) * grid)) : null;
    table.set(found.train_score.data, any ? found.held_out_score.data : [NaN, NaN, NaN]);
    chart.repaint();
    showHint();
    chart.element.dataset.scores = [...found.train_score.data, ...found.held_out_score.data].join(" ");
    chart.element.dataset.shown = shown;
    chart.element.dataset.ms = performance.now() - began;
  });

  // Points and bandwidth are kept in the model alone: mouse, keys, sliders and Python all change them there.
  const set = setter(model);
  handleInput(chart, model, { kindOf: () => kind, showHint, set, at });

  // A hundred steps, each by the same factor, to the three digits that the slider shows.
  const [low, high] = model.get("bandwidths");
  const bandwidthAt = (step) => low * (high / low) ** (step / 100);
  const stepOf = (bandwidth) => (100 * Math.log(bandwidth / low)) / Math.log(high / low);
  const bandwidth = slider({
    label: "Bandwidth h",
    symbol: "<i>h</i>",
    format: (step) => bandwidthAt(step).toPrecision(3),
    min: 0,
    max: 100,
    step: 1,
    value: stepOf(begin.bandwidth),
    oninput: (step) => set({ bandwidth: Number(bandwidthAt(step).toPrecision(3)) }),
  });
  model.on("change:bandwidth", () => bandwidth.set(stepOf(model.get("bandwidth"))));
  model.on("change:train change:held_out change:bandwidth", draw);

  const choices = Object.entries(KINDS).map(([name, text]) => button(`${MARKS[name]} ${text}`, () => choose(name)));
  const choose = (name) => {
    kind = name;
    Object.keys(KINDS).forEach((other, i) => choices[i].setAttribute("aria-pressed", other === kind));
    chart.repaint();
  };
  choose(kind);
  const element = h(
    "div",
    { class: "gu-columns", style: `--gu-accent: ${model.get("colours").model}` },
    h("div", { class: "gu-wide" }, chart.element, reserve(hint, countOf(88, 88))),
    h(
      "div",
      { class: "gu-pad gu-fine" },
      h("div", { class: "gu-buttons", role: "group", "aria-label": "A click adds" }, ...choices),
      bandwidth.element,
      h(
        "div",
        { class: "gu-buttons" },
        button("Clear", () => set({ train: [], held_out: [] })),
        button("Reset", () => set(begin)),
      ),
    ),
    h("div", { class: "gu-pad" }, table.element),
  );
  return { element, first: draw };
}

const countOf = (n, m) =>
  `${n} training ${n === 1 ? "point" : "points"}, ${m} held out. Click to add one, or on one to remove it.`;

// A click or a tap adds a point of the chosen kind, or removes the one that it is on; so does a key, at its cursor.
function handleInput(chart, model, { kindOf, showHint, set, at }) {
  const [most, limit] = ["most", "limit"].map((name) => model.get(name));
  const add = (x) => {
    const kind = kindOf();
    const points = model.get(kind);
    if (points.length < most) set({ [kind]: [...points, x] });
    else showHint(`There is room for ${most} ${KINDS[kind]}: remove one first.`);
  };
  const remove = (name, i) => set({ [name]: model.get(name).filter((_, j) => j !== i) });
  // The number of the point of a kind that is nearest to x, if one is within reach.
  const near = (name, x, reach) => {
    const away = model.get(name).map((point) => Math.abs(point - x));
    const nearest = Math.min(...away);
    return nearest <= reach ? away.indexOf(nearest) : -1;
  };
  // To two digits, so that what is shown is what was computed.
  const clamp = (x) => Math.round(100 * Math.max(-limit, Math.min(limit, x))) / 100;

  chart.element.addEventListener("click", (event) => {
    const box = chart.element.getBoundingClientRect();
    const unit = (box.width - LEFT - RIGHT) / (2 * limit);
    const x = clamp((event.clientX - box.left - LEFT) / unit - limit);
    const row = Math.floor((event.clientY - box.bottom + BELOW) / ROW); // above the rows, a click only adds
    const name = Object.keys(KINDS)[row];
    const found = name ? near(name, x, (event.pointerType === "touch" ? 22 : 7) / unit) : -1;
    if (found < 0) add(x);
    else remove(name, found);
  });
  const arrows = { ArrowLeft: -0.1, ArrowRight: 0.1 };
  chart.element.addEventListener("keydown", (event) => {
    if (![...Object.keys(arrows), "Enter", " "].includes(event.key)) return;
    event.preventDefault();
    const kind = kindOf();
    if (event.key in arrows) {
      at.cursor = clamp(at.cursor + arrows[event.key]);
      chart.repaint();
      showHint(
        `At x = ${at.cursor.toFixed(1).replace("-", "−")}: Enter ${near(kind, at.cursor, 0.05) < 0 ? "adds" : "removes"} one of the ${KINDS[kind]}.`,
      );
    } else {
      const found = near(kind, at.cursor, 0.05);
      if (found < 0) add(at.cursor);
      else remove(kind, found);
    }
  });
  for (const event of ["focus", "blur"]) chart.element.addEventListener(event, chart.repaint);
}

// Mean log-likelihoods, a row for each density.
function scoreTable(names) {
  const rows = names.map(() => [h("td"), h("td")]);
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, "mean log-likelihood, nats"),
    h("th", { scope: "col" }, "training"),
    h("th", { scope: "col" }, "held out"),
  );
  const body = names.map((name, k) => h("tr", {}, h("th", { scope: "row" }, name), ...rows[k]));
  const write = (v) => {
    if (Number.isNaN(v)) return "–"; // the mean of no points
    if (!Number.isFinite(v)) return v > 0 ? "∞" : "−∞";
    return v.toFixed(Math.abs(v) < 1000 ? 2 : 0).replace("-", "−");
  };
  const set = (...columns) =>
    rows.forEach((cells, k) => cells.forEach((cell, c) => (cell.textContent = write(columns[c][k]))));
  return { element: h("table", { class: "gu-table" }, h("thead", {}, head), h("tbody", {}, ...body)), set };
}

// From below: the axis, a row of held-out points, a row of training points, the curves, and what each of them is.
function paintDensities(context, width, height, { names, limit, place, density, kind, colours, cursor, points }) {
  const ground = height - BELOW;
  const toX = (x) => LEFT + ((x + limit) / (2 * limit)) * (width - LEFT - RIGHT);
  // A scale in steps, so that it stands still while the curves move.
  const tallest = Math.max(0, ...(density ?? []).flatMap((curve) => Array.from(curve).filter(Number.isFinite)));
  const top = [0.5, 1, 2, 5, 10, 20].find((scale) => tallest <= scale) ?? 50;
  const toY = (d) => ground - (Math.min(d, 1.05 * top) / top) * (ground - ABOVE);
  paintLine(context, width, { ground, limit, top, toX, toY });

  const curve = (values, move = (path, x, y) => path.lineTo(x, y)) => {
    const path = new Path2D();
    values.forEach((d, i) => move(path, toX(place[i]), toY(d), i));
    return path;
  };
  const half = (toX(place[1]) - toX(place[0])) / 2;
  const box = (path, x, y) => {
    path.lineTo(x - half, y);
    path.lineTo(x + half, y);
  };
  context.strokeStyle = context.fillStyle = colours.model;
  if (density) {
    const [kde, histogram, gaussian] = density;
    const area = curve(histogram, box);
    context.lineWidth = 1;
    context.stroke(area);
    area.lineTo(toX(limit), ground);
    area.lineTo(toX(-limit), ground);
    context.globalAlpha = 0.2;
    context.fill(area);
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.setLineDash([7, 4]);
    context.stroke(curve(gaussian));
    context.setLineDash([]);
    context.lineWidth = 3;
    context.stroke(curve(kde));
  }
  paintKey(context, names, colours.model);
  Object.keys(KINDS).forEach((name, row) => {
    const y = ground + ROW * (row + 0.5);
    for (const point of points[name]) paintPoint(context, name, toX(point), y, colours);
  });
  if (cursor === null) return;
  context.strokeStyle = getComputedStyle(context.canvas).color;
  context.lineWidth = 2;
  context.strokeRect(toX(cursor) - 9, ground + ROW * Object.keys(KINDS).indexOf(kind) + 3, 18, ROW - 6);
}

// Training points are full discs, held-out ones hollow diamonds.
function paintPoint(context, kind, x, y, colours) {
  context.beginPath();
  if (kind === "train") {
    context.fillStyle = colours.data;
    context.globalAlpha = 0.85;
    context.arc(x, y, 5.5, 0, 2 * Math.PI);
    context.fill();
    context.globalAlpha = 1;
  } else {
    context.strokeStyle = colours.decision;
    context.lineWidth = 2;
    for (const [dx, dy] of [
      [0, -6.5],
      [6.5, 0],
      [0, 6.5],
      [-6.5, 0],
    ])
      context.lineTo(x + dx, y + dy);
    context.closePath();
    context.stroke();
  }
}

function paintLine(context, width, { ground, limit, top, toX, toY }) {
  const bottom = ground + 2 * ROW;
  context.font = "12px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let x = Math.ceil(-limit); x <= limit; x++) {
    context.fillRect(toX(x) - 0.5, bottom, 1, 4);
    context.fillText(String(x).replace("-", "−"), toX(x), bottom + 13);
  }
  context.fillText("x", toX(Math.floor(limit) - 0.5), bottom + 13);
  context.textAlign = "right";
  for (const d of [0, top / 2, top]) {
    context.fillRect(LEFT - 4, toY(d) - 0.5, 4, 1);
    context.fillText(String(d), LEFT - 7, toY(d));
  }
  context.textAlign = "left";
  context.fillText("density", 0, 8);
  context.globalAlpha = 0.4;
  for (const y of [ground, ground + ROW, bottom]) context.fillRect(LEFT, y - 0.5, width - LEFT - RIGHT, 1);
  context.globalAlpha = 1;
}

// What the three lines are, above them on the right.
function paintKey(context, names, colour) {
  const ink = getComputedStyle(context.canvas).color;
  let x = context.canvas.clientWidth - RIGHT;
  context.textAlign = "right";
  [2, 1, 0].forEach((k) => {
    context.fillStyle = ink;
    context.fillText(names[k], x, 8);
    x -= context.measureText(names[k]).width + 5;
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = [3, 1, 2][k];
    context.setLineDash(k === 2 ? [7, 4] : []);
    context.beginPath();
    if (k === 1) {
      context.rect(x - 18, 3, 18, 10);
      context.globalAlpha = 0.2;
      context.fill();
      context.globalAlpha = 1;
    } else {
      context.moveTo(x - 18, 8);
      context.lineTo(x, 8);
    }
    context.stroke();
    x -= 18 + 14;
  });
  context.setLineDash([]);
}

export default widget(buildDensityPad);
