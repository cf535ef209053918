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
function planeCanvas(view, properties, limit, draw) {
  return drawnCanvas(
    view,
    properties,
    (context, side) => draw(context, ([x, y]) => [(x + limit) / (2 * limit) * side, (limit - y) / (2 * limit) * side])
  );
}
function paintAxes(context, toPixels, limit) {
  context.globalAlpha = 0.4;
  context.lineWidth = 1;
  const axes = [
    [
      [-limit, 0],
      [limit, 0]
    ],
    [
      [0, -limit],
      [0, limit]
    ]
  ];
  for (const ends of axes) {
    context.beginPath();
    for (const end of ends) context.lineTo(...toPixels(end));
    context.stroke();
  }
  context.globalAlpha = 1;
}
function byDirection(points, sectors) {
  const members = Array.from({ length: sectors }, () => []);
  for (let i = 0; i < points.length / 2; i++) {
    const turn = Math.atan2(points[2 * i + 1], points[2 * i]) / (2 * Math.PI) + 1;
    members[Math.floor(turn * sectors) % sectors].push(i);
  }
  return members;
}

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

// gen_utils/page/widgets/flow_layers/index.js
var GLIDE_MS = 350;
var REST_MS = 650;
function buildFlowLayers(view) {
  const { model, graphs } = view;
  const [draws, layers, limit, palette, data] = ["draws", "layers", "limit", "palette", "data"].map(
    (name) => model.get(name)
  );
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const text = h("p", { class: "gu-hint", role: "status" });
  let states = null;
  let members = null;
  let shown = 0;
  const look = {
    class: "gu-map",
    role: "img",
    "aria-label": "A thousand points where this layer puts them, coloured by where they began"
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
        colour: model.get("colours").data
      });
  });
  const paint = (at) => {
    shown = at;
    map.repaint();
  };
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
    "Stop"
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
    }
  });
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
    h("div", { class: "gu-pad gu-layers" }, layer.element, text, h("div", { class: "gu-buttons" }, play, fresh))
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
  context.globalAlpha = 0.35 * Math.max(0, shown - layers + 2);
  context.fillStyle = colour;
  for (const point of context.globalAlpha > 0 ? data : []) {
    const [x, y] = toPixels(point);
    context.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
  context.globalAlpha = 1;
  const below = Math.min(Math.floor(shown), layers - 2);
  const [part, start2, end] = [shown - below, 2 * draws * below, 2 * draws * (below + 1)];
  palette.forEach((shade, k) => {
    context.fillStyle = shade;
    context.beginPath();
    for (const i of members[k]) {
      const at = [0, 1].map((axis) => (1 - part) * states[start2 + 2 * i + axis] + part * states[end + 2 * i + axis]);
      const [x, y] = toPixels(at);
      context.moveTo(x, y);
      context.arc(x, y, 2, 0, 2 * Math.PI);
    }
    context.fill();
  });
}
var flow_layers_default = widget(buildFlowLayers);
export {
  flow_layers_default as default
};
