// gen_utils/page/lib/elements.js
function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== void 0 && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}
function button(label, onclick, ...others) {
  const labels = others.length > 0 && [label, ...others].join("\n");
  return h("button", { type: "button", class: "gu-button", "data-labels": labels, onclick }, label);
}
function reserve(node, ...texts) {
  const hidden = texts.map((text) => h("div", { "aria-hidden": "true", "data-text": text }));
  const box = h("div", { class: `gu-reserve ${node.className}` }, node, ...hidden);
  node.removeAttribute("class");
  return box;
}
function slider({
  label,
  symbol,
  end,
  min,
  max,
  step,
  value,
  note = "",
  unused = false,
  format = (v) => v.toFixed(1),
  oninput
}) {
  const input = h("input", { type: "range", min, max, step, "aria-label": label });
  const output = h("output", { class: "gu-value" });
  const mark = (html) => Object.assign(h("span", { "aria-hidden": "true" }), { innerHTML: html });
  const element = h("label", { class: unused ? "gu-slider gu-unused" : "gu-slider" }, mark(symbol), input, output);
  if (note) element.append(h("small", { class: "gu-note" }, note));
  if (end) {
    element.append(mark(end));
    output.ariaLive = "off";
  }
  const set = (number) => {
    input.value = number;
    output.textContent = format(Number(number));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    set(input.value);
    oninput(Number(input.value));
  });
  set(value);
  return { element, set };
}
var grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, " ");
function setter(model) {
  return (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
}

// gen_utils/page/lib/canvas.js
function drawnCanvas(view, properties, draw) {
  const element = h("canvas", properties);
  const context = element.getContext("2d");
  const repaint = () => {
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (!width) return;
    const scale = globalThis.devicePixelRatio || 1;
    [element.width, element.height] = [Math.round(width * scale), Math.round(height * scale)];
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.strokeStyle = context.fillStyle = getComputedStyle(element).color;
    draw(context, width, height);
  };
  view.observe(new ResizeObserver(repaint), element);
  const theme = { attributes: true, attributeFilter: ["data-theme"] };
  view.observe(new MutationObserver(repaint), document.documentElement, theme);
  return { element, repaint };
}

// gen_utils/page/lib/chart.js
function paintChart(context, width, height, { x, y }) {
  const [left, right, top, bottom] = [54, 12, 10, 40];
  const place = ([low, high], from, to) => (value) => from + (value - low) / (high - low) * (to - from);
  const [toX, toY] = [place(x.range, left, width - right), place(y.range, height - bottom, top)];
  const floor = height - bottom;
  context.font = "12px sans-serif";
  context.textBaseline = "middle";
  context.lineWidth = 1;
  context.beginPath();
  [
    [left, top],
    [left, floor],
    [width - right, floor]
  ].forEach((corner) => context.lineTo(...corner));
  context.stroke();
  context.textAlign = "center";
  for (const [value, text] of x.ticks) {
    context.fillRect(toX(value), floor, 1, 4);
    context.fillText(text, toX(value), floor + 13);
  }
  context.fillText(x.name, (left + width - right) / 2, height - 8);
  context.textAlign = "right";
  for (const [value, text] of y.ticks) {
    context.fillRect(left - 4, toY(value), 4, 1);
    context.fillText(text, left - 7, toY(value));
  }
  context.save();
  context.translate(8, (top + floor) / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(y.name, 0, 0);
  context.restore();
  return { toX, toY };
}

// gen_utils/page/lib/graphs.js
var contentRoot = document.documentElement.dataset.content_root;
var isPublished = contentRoot !== void 0;
var siteFile = (path) => new URL(`${contentRoot}_static/${path}`, document.baseURI).href;
var CDN_TIMEOUT_MS = 8e3;
var KERNEL_TIMEOUT_MS = 3e4;
function loadRuntime(cdn) {
  const shared = /* @__PURE__ */ Symbol.for("gen_utils.onnxruntime");
  globalThis[shared] ??= (async () => {
    const source = isPublished ? siteFile("vendor/ort/") : cdn;
    const ort = await within(CDN_TIMEOUT_MS, import(`${source}ort.wasm.bundle.min.mjs`));
    ort.env.wasm.numThreads = 1;
    if (!isPublished) ort.env.wasm.wasmPaths = cdn;
    let last = Promise.resolve();
    const inTurn = (call) => {
      const result = last.then(call);
      last = result.catch(() => {
      });
      return result;
    };
    return { ort, inTurn };
  })();
  return globalThis[shared];
}
function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("timed out")), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
function siteBytes({ file, sha256 }) {
  const shared = /* @__PURE__ */ Symbol.for("gen_utils.files");
  globalThis[shared] ??= /* @__PURE__ */ new Map();
  const files = globalThis[shared];
  const url = siteFile(`models/${file}?${sha256.slice(0, 8)}`);
  if (!files.has(url)) {
    const loading = download(url, sha256);
    loading.catch(() => files.delete(url));
    files.set(url, loading);
  }
  return files.get(url);
}
async function download(url, sha256) {
  const digest = btoa(String.fromCharCode(...sha256.match(/../g).map((byte) => Number.parseInt(byte, 16))));
  const response = await fetch(url, { integrity: `sha256-${digest}` });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
async function askKernel(invoke, signal, command, message, buffers = []) {
  const late = AbortSignal.timeout(KERNEL_TIMEOUT_MS);
  try {
    const [answer, found] = await invoke(command, message, { buffers, signal: AbortSignal.any([signal, late]) });
    if (answer.error) throw new Error(answer.error);
    return [answer, found.map((view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))];
  } catch (error) {
    if (!late.aborted) throw error;
    const seconds = KERNEL_TIMEOUT_MS / 1e3;
    throw new Error(`the kernel did not answer within ${seconds} seconds; when it is free, run this cell again`);
  }
}
async function runInKernel(invoke, signal, graph, feeds) {
  const inputs = Object.entries(feeds).map(([name, { dims }]) => ({ name, dims }));
  const data = Object.values(feeds).map((feed) => feed.data);
  const [{ outputs }, buffers] = await askKernel(invoke, signal, "run_graph", { graph, inputs }, data);
  return Object.fromEntries(outputs.map(({ name, dims }, i) => [name, { dims, data: new Float32Array(buffers[i]) }]));
}
async function graphRunner({ model, invoke, signal, onEnd, during }) {
  let runtime;
  try {
    runtime = await loadRuntime(model.get("cdn"));
  } catch (error) {
    if (isPublished) throw error;
    const run2 = (name, feeds) => during(runInKernel(invoke, signal, name, feeds));
    return { backend: "kernel", open: async () => {
    }, run: run2 };
  }
  const { ort, inTurn } = runtime;
  const opening = {};
  const sessions = {};
  onEnd(() => {
    for (const session of Object.values(opening)) {
      session.then((opened) => inTurn(() => opened.release())).catch(() => {
      });
    }
  });
  const bytes = async (name) => {
    if (isPublished) return siteBytes(model.get("graphs")[name]);
    const [, [buffer]] = await askKernel(invoke, signal, "read_graph", name);
    return new Uint8Array(buffer);
  };
  const create = async (name) => {
    const file = await bytes(name);
    return inTurn(() => ort.InferenceSession.create(file));
  };
  const load = async (name) => {
    try {
      opening[name] ??= create(name);
      sessions[name] = await opening[name];
    } catch (error) {
      delete opening[name];
      throw error;
    }
  };
  const open = (names) => during(Promise.all(names.map(load)));
  const run = async (name, feeds) => {
    if (!sessions[name]) await open([name]);
    const tensors = Object.entries(feeds).map(([key, { data, dims }]) => [
      key,
      new ort.Tensor("float32", data, dims)
    ]);
    return during(inTurn(() => signal.aborted || sessions[name].run(Object.fromEntries(tensors))));
  };
  return { backend: "browser", open, run };
}
var scalar = (value) => ({ data: Float32Array.of(value), dims: [1] });

// gen_utils/page/lib/lifetime.js
function lifetime() {
  const controller = new AbortController();
  const { signal } = controller;
  const onEnd = (stop) => signal.addEventListener("abort", stop, { once: true });
  const during = (promise) => new Promise((resolve, reject) => {
    promise.then(
      (value) => signal.aborted || resolve(value),
      (error) => signal.aborted || reject(error)
    );
  });
  const observe = (observer, target, options) => {
    observer.observe(target, options);
    onEnd(() => observer.disconnect());
  };
  const nextFrame = () => during(new Promise(requestAnimationFrame));
  const sleep = (milliseconds) => during(new Promise((resolve) => setTimeout(resolve, milliseconds)));
  return { signal, end: () => controller.abort(), onEnd, during, observe, nextFrame, sleep };
}
function latest(work) {
  let running = false;
  let waiting = null;
  return async function call(...args) {
    waiting = args;
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await work(...next);
      }
    } finally {
      running = false;
    }
  };
}

// gen_utils/page/lib/noise.js
var Noise = class _Noise {
  constructor(seed) {
    let state = seed >>> 0;
    this.words = Uint32Array.from({ length: 4 }, () => {
      state = state + 2654435769 >>> 0;
      let word = Math.imul(state ^ state >>> 16, 569420461);
      word = Math.imul(word ^ word >>> 15, 1935289751);
      return word ^ word >>> 15;
    });
  }
  // Uniform in (0, 1), 32 bits.
  uniform() {
    const s = this.words;
    const rotated = Math.imul(s[1], 5);
    const result = Math.imul(rotated << 7 | rotated >>> 25, 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 11 | s[3] >>> 21;
    return (result + 0.5) / 4294967296;
  }
  uniforms(n) {
    return Float32Array.from({ length: n }, () => this.uniform());
  }
  // n standard normal numbers.
  normal(n) {
    const out = new Float32Array(n);
    for (let i = 0; i < n; ) {
      const a = 2 * this.uniform() - 1;
      const b = 2 * this.uniform() - 1;
      const s = a * a + b * b;
      if (s >= 1) continue;
      const scale = Math.sqrt(-2 * _Noise.log(s) / s);
      out[i++] = a * scale;
      if (i < n) out[i++] = b * scale;
    }
    return out;
  }
  // ln x for 0 < x < 1 by IEEE addition, multiplication and division alone: Math.log differs between browsers.
  static log(x) {
    let mantissa = x;
    let doublings = 0;
    for (; mantissa < 0.7; doublings++) mantissa *= 2;
    const t = (mantissa - 1) / (mantissa + 1);
    let sum = 0;
    for (let k = 23; k > 0; k -= 2) sum = sum * t * t + 1 / k;
    return 2 * t * sum - doublings * Math.LN2;
  }
};

// gen_utils/page/lib/widget.js
function widget(build, firstGraphs = (model) => Object.keys(model.get("graphs"))) {
  return { render: ({ model, el, experimental }) => start({ model, el, experimental, build, firstGraphs }) };
}
function start({ model, el, experimental, build, firstGraphs }) {
  const life = lifetime();
  const view = { ...life, model: modelOf(model, life), invoke: experimental?.invoke };
  const status = h("p", { class: "gu-status", role: "status" }, "Loading the model into this page…");
  el.classList.add("gu-widget");
  const spare = ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true");
  el.addEventListener("focusin", spare, { signal: life.signal });
  el.style.setProperty("--gu-accent", model.get("colours").latent);
  el.append(status);
  const show = async () => {
    try {
      view.graphs = await life.during(graphRunner(view));
      await view.graphs.open(firstGraphs(view.model));
      const { element, first, poster } = build(view);
      await life.during(Promise.resolve(first()));
      status.replaceWith(element);
      for (const poster2 of posters(el)) poster2.classList.add("gu-poster-hidden");
      el.dataset.backend = view.graphs.backend;
      el.poster = poster;
      el.classList.add("gu-live");
    } catch (error) {
      console.error(error);
      status.textContent = `This widget could not start: ${error.message}.`;
    }
  };
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      show();
    },
    { rootMargin: "300px" }
  );
  life.observe(observer, el);
  return () => {
    life.end();
    el.classList.remove("gu-live");
    el.replaceChildren();
  };
}
function modelOf(model, { onEnd }) {
  const on = (events, listener) => {
    for (const event of events.split(" ")) {
      model.on(event, listener);
      onEnd(() => model.off(event, listener));
    }
  };
  return {
    get: (name) => model.get(name),
    set: (name, value) => model.set(name, value),
    save_changes: () => model.save_changes(),
    on
  };
}
function posters(el) {
  const cell = el.closest(".cell_output, .jp-OutputArea, .output_container, .output") ?? el.parentElement;
  const images = [...cell.querySelectorAll("img")].filter((image) => !el.contains(image));
  return images.map((image) => image.closest("a.image-reference, .output, .jp-OutputArea-child") ?? image);
}

// gen_utils/page/widgets/monte_carlo/index.js
var FRAME_MS = 40;
function buildMonteCarlo(view) {
  const { model, graphs } = view;
  const [dims, exact, sizes, kinds] = ["dims", "exact", "sizes", "kinds"].map((name) => model.get(name));
  const scale = { linear: model.get("linear"), worst: model.get("worst") };
  const initial = Object.fromEntries(["dim", "draws", "seed"].map((name) => [name, model.get(name)]));
  const value = (v) => v.toFixed(2).replace("-", "−");
  const exactly = (K, v) => `Exact (dashed), K = ${K}: log p(x) = ${value(v)} nats.`;
  let streams = {};
  const stream = () => streams[model.get("dim")] ??= estimateStream(model, graphs, model.get("dim"));
  const truth = () => exact[dims.indexOf(model.get("dim"))];
  const look = {
    class: "gu-errors",
    role: "img",
    "aria-label": "Errors of the estimates for each number of draws, in nats"
  };
  const chart = drawnCanvas(view, look, (context, width, height) => {
    const found = sizes.filter((n) => n <= model.get("draws") && stream().found[n]).map((n) => [n, stream().found[n]]);
    paintErrors(context, width, height, { found, sizes, exact: truth(), kinds, ...scale });
  });
  const rows = kinds.map(() => Array.from({ length: 3 }, () => h("td")));
  const reading = h("p", { class: "gu-hint", role: "status" });
  const show = () => {
    const n = model.get("draws");
    const estimates = stream().found[n];
    reading.textContent = exactly(model.get("dim"), truth());
    chart.repaint();
    if (!estimates) return;
    rows.forEach((cells, column) => {
      const values = Array.from(estimates).filter((_, i) => i % 2 === column);
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      [Math.min(...values), mean, Math.max(...values)].forEach((v, i) => cells[i].textContent = value(v));
    });
  };
  const draw = latest(async () => {
    const began = performance.now();
    let paused = began;
    while (stream().before < model.get("draws")) {
      await stream().more();
      if (performance.now() - paused < FRAME_MS) continue;
      show();
      await view.sleep(0);
      paused = performance.now();
    }
    show();
    const chosen = Object.fromEntries(["dim", "draws", "seed"].map((name) => [name, model.get(name)]));
    chart.element.dataset.estimates = JSON.stringify(Array.from(stream().found[chosen.draws]));
    chart.element.dataset.shown = JSON.stringify(chosen);
    chart.element.dataset.ms = performance.now() - began;
  });
  const set = setter(model);
  const draws = slider({
    label: "Number of draws n",
    symbol: "<i>n</i>",
    format: (i) => grouped(sizes[i]),
    min: 0,
    max: sizes.length - 1,
    step: 1,
    value: sizes.indexOf(model.get("draws")),
    oninput: (i) => set({ draws: sizes[i] })
  });
  const units = slider({
    label: "Number of latent units K",
    symbol: "<i>K</i>",
    format: (i) => String(dims[i]),
    min: 0,
    max: dims.length - 1,
    step: 1,
    value: dims.indexOf(model.get("dim")),
    oninput: (i) => set({ dim: dims[i] })
  });
  model.on("change:seed", () => streams = {});
  model.on("change:dim change:draws change:seed", () => {
    draws.set(sizes.indexOf(model.get("draws")));
    units.set(dims.indexOf(model.get("dim")));
    show();
    return draw();
  });
  const table = h(
    "table",
    { class: "gu-table" },
    h(
      "tr",
      {},
      h("th", { scope: "col" }, `${model.get("repeats")} estimates / nats`),
      ...["lowest", "mean", "highest"].map((name) => h("th", { scope: "col" }, name))
    ),
    ...kinds.map(
      ([kind, colour], column) => h(
        "tr",
        {},
        h("th", { scope: "row" }, h("span", { class: "gu-key", style: `background: ${colour}` }), `from the ${kind}`),
        ...rows[column]
      )
    )
  );
  const element = h(
    "div",
    { class: "gu-columns gu-monte-carlo" },
    h("div", { class: "gu-wide" }, chart.element),
    h("div", { class: "gu-plot" }, draws.element, units.element),
    h(
      "div",
      { class: "gu-plot" },
      reserve(reading, exactly(8, -88.88)),
      table,
      h(
        "div",
        { class: "gu-buttons" },
        button("New noise", () => set({ seed: model.get("seed") + 1 })),
        button("Reset", () => set(initial))
      )
    )
  );
  return { element, first: draw };
}
function estimateStream(model, graphs, K) {
  const [sizes, block, repeats] = ["sizes", "block", "repeats"].map((name) => model.get(name));
  const noise = new Noise(model.get("seed"));
  const each = repeats * K;
  const stream = { before: 0, found: {} };
  let estimate = new Float32Array(2 * repeats);
  stream.more = async () => {
    const size = sizes.find((n) => n > stream.before);
    const count = Math.min(block, size - stream.before);
    const eps = new Float32Array(block * each);
    eps.set(noise.normal(count * each));
    const feeds = { eps: { data: eps, dims: [block, repeats, K] }, estimate: { data: estimate, dims: [repeats, 2] } };
    const numbers = { count: scalar(count), before: scalar(stream.before) };
    estimate = (await graphs.run(`estimate${K}`, { ...feeds, ...numbers })).new_estimate.data;
    stream.before += count;
    if (stream.before === size) stream.found[size] = estimate;
  };
  return stream;
}
function paintErrors(context, width, height, { found, sizes, exact, kinds, linear, worst }) {
  const bend = (error) => Math.sign(error) * Math.log10(1 + Math.abs(error) / linear);
  const errors = [-1e5, -1e4, -1e3, -100, -10, -1, -0.1, 0, 0.1, 1].filter((error) => error >= 2 * worst);
  const range = [bend(1.5 * worst), bend(3)];
  const text = (v) => String(v).replace("-", "−").replace(/10{3,}$/, (power) => `10${"⁰¹²³⁴⁵⁶"[power.length - 1]}`);
  const { toX, toY } = paintChart(context, width, height, {
    x: {
      range: [-0.3, 5.3],
      ticks: sizes.filter((_, i) => i % 2 === 0).map((n) => [Math.log10(n), text(n)]),
      name: "number of draws n"
    },
    y: {
      range,
      ticks: errors.filter((error) => bend(error) > range[0]).map((error) => [bend(error), text(error)]),
      name: "estimate − exact / nats"
    }
  });
  context.setLineDash([5, 4]);
  context.beginPath();
  context.moveTo(toX(-0.3), toY(0));
  context.lineTo(toX(5.3), toY(0));
  context.stroke();
  context.setLineDash([]);
  const aside = Math.min(8, 0.24 * (toX(0.5) - toX(0)));
  const inside = (error) => toY(Math.max(range[0], Math.min(range[1], bend(error))));
  kinds.forEach(([, colour], column) => {
    context.fillStyle = colour;
    for (const [n, estimates] of found) {
      const middle = toX(Math.log10(n)) + (column ? aside : -aside);
      for (let i = 0; i < estimates.length / 2; i++) {
        const [x, y] = [middle + (i % 5 - 2) * aside / 4, inside(estimates[2 * i + column] - exact)];
        context.beginPath();
        if (column)
          [
            [0, -4],
            [4, 0],
            [0, 4],
            [-4, 0]
          ].forEach(([dx, dy]) => context.lineTo(x + dx, y + dy));
        else context.arc(x, y, 3, 0, 2 * Math.PI);
        context.globalAlpha = 0.7;
        context.fill();
        context.globalAlpha = 1;
      }
    }
  });
}
var monte_carlo_default = widget(buildMonteCarlo);
export {
  monte_carlo_default as default
};
