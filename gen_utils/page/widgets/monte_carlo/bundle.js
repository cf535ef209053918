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
  context.font = "12px sans-serif";
  const widest = Math.max(...y.ticks.map(([, text]) => context.measureText(text).width));
  const left = Math.max(54, widest + 28);
  const [right, top, bottom] = [12, 10, 40];
  const place = ([low, high], from, to) => (value) => from + (value - low) / (high - low) * (to - from);
  const [toX, toY] = [place(x.range, left, width - right), place(y.range, height - bottom, top)];
  const floor = height - bottom;
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

// gen_utils/page/lib/files.js
var QUIET_MS = 8e3;
var STALLED_MS = 3e4;
var MOST_BYTES = 64e6;
var shared = /* @__PURE__ */ Symbol.for("gen_utils.files");
globalThis[shared] ??= /* @__PURE__ */ new Map();
var files = globalThis[shared];
var failed = /* @__PURE__ */ new Set();
var forbidden = /* @__PURE__ */ new Map();
function loadFile(url, { size = 0, sha256, stalled = STALLED_MS } = {}) {
  return tracked(url, size, (file) => download(url, file, sha256, stalled)).result;
}
function loadModule(url, { size, stalled = STALLED_MS }) {
  const address = failed.has(url) ? `${url}?${Date.now()}` : url;
  const late = new Promise((_, reject) => setTimeout(() => reject(silence(stalled)), stalled));
  const loading = () => Promise.race([import(address), late]).catch((error) => explain(address, error));
  return tracked(url, size, loading).result;
}
function forgetFile(url) {
  failed.add(url);
  files.delete(url);
}
function tracked(url, total, load) {
  if (!files.has(url)) {
    const file = { loaded: 0, total, moved: performance.now(), done: false };
    files.set(url, file);
    const note = ({ blockedURI, effectiveDirective }) => forbidden.set(blockedURI, effectiveDirective);
    document.addEventListener("securitypolicyviolation", note);
    file.result = load(file).finally(() => {
      file.done = true;
      document.removeEventListener("securitypolicyviolation", note);
    });
    file.result.catch(() => forgetFile(url));
  }
  return files.get(url);
}
async function download(url, file, sha256, stalled) {
  const giveUp = new AbortController();
  const watch = setInterval(() => {
    if (performance.now() - file.moved > stalled) giveUp.abort(silence(stalled));
  }, 1e3);
  const options = { signal: giveUp.signal, cache: failed.has(url) ? "reload" : "default" };
  if (sha256 && !crypto.subtle) {
    options.integrity = `sha256-${btoa(String.fromCharCode(...fromHex(sha256)))}`;
    file.moved = Number.POSITIVE_INFINITY;
  }
  try {
    const response = await fetch(url, options);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    if (!response.headers.get("content-encoding"))
      file.total = Number(response.headers.get("content-length")) || file.total;
    const bytes = await readAll(response.body, file);
    if (sha256 && crypto.subtle && !await isIntact(bytes, sha256)) {
      throw new Error("it failed its integrity check, so it is damaged or of another version of this page");
    }
    return bytes;
  } catch (error) {
    return explain(url, error);
  } finally {
    clearInterval(watch);
  }
}
async function readAll(body, file) {
  const reader = body.getReader();
  const parts = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
    file.loaded += next.value.length;
    file.moved = Math.max(file.moved, performance.now());
    if (file.loaded > MOST_BYTES) {
      await reader.cancel();
      throw new Error("it is far longer than a file of this page can be");
    }
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
var fromHex = (text) => text.match(/../g).map((byte) => Number.parseInt(byte, 16));
async function isIntact(bytes, sha256) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return fromHex(sha256).every((byte, i) => byte === digest[i]);
}
var silence = (milliseconds) => new Error(`nothing came for ${milliseconds / 1e3} seconds`);
async function explain(url, error) {
  await new Promise((resolve) => setTimeout(resolve));
  const directive = forbidden.get(url);
  let reason = error.message;
  if (directive) reason = `this site's security policy (${directive}) forbids it`;
  else if (!navigator.onLine) reason = "this device is offline";
  else if (error instanceof TypeError) reason = "the connection failed, or something on the way blocks it";
  throw new Error(`${new URL(url).pathname.split("/").pop()} could not be loaded: ${reason}`);
}
function progress() {
  const coming = [...files.values()].filter(({ done }) => !done);
  if (!coming.length) return "";
  const [loaded, total] = ["loaded", "total"].map((key) => coming.reduce((sum, file) => sum + file[key], 0));
  const megabytes = (n) => (n / 1e6).toFixed(1);
  const amount = total < loaded ? megabytes(loaded) : `${megabytes(loaded)} of ${megabytes(total)}`;
  const text = `Loading the model into this page: ${amount} MB.`;
  const quiet = performance.now() - Math.max(...coming.map(({ moved }) => moved)) > QUIET_MS;
  return quiet ? `${text} Nothing has come for some seconds: the connection is slow, or lost. It goes on by itself.` : text;
}

// gen_utils/page/lib/line.js
var FIRST_PAUSE_MS = 2e3;
var LONGEST_PAUSE_MS = 6e4;
function statusLine(el) {
  const text = h("p", { role: "status" });
  const again = button("Try again now", () => pressed?.());
  const line = h("div", { class: "gu-status" }, text);
  let pressed;
  const show = (words, press, live) => {
    if (text.textContent !== words) {
      text.ariaLive = live;
      text.textContent = words;
    }
    if (!words && !line.isConnected) return;
    pressed = press;
    if (press) line.append(again);
    else again.remove();
    if (!words) line.remove();
    else if (!line.isConnected) el.append(line);
  };
  return {
    say: (words, press) => show(words, press, "polite"),
    wait: (words) => show(words, void 0, "off")
  };
}
var lasting = (message) => Object.assign(new Error(message), { lasting: true });
async function persistently(work, line, { signal, during }) {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      console.error(error);
      const words = `This widget could not start: ${error.message}.`;
      const next = new Promise((resolve) => {
        if (error.lasting) return line.say(words);
        setTimeout(resolve, pause);
        addEventListener("online", resolve, { once: true, signal });
        line.say(`${words} It goes on trying.`, resolve);
      });
      await during(next);
    }
  }
}

// gen_utils/page/lib/graphs.js
var contentRoot = document.documentElement.dataset.content_root;
var isPublished = contentRoot !== void 0;
var siteFile = (path) => new URL(`${contentRoot}_static/${path}`, document.baseURI).href;
var CDN_TIMEOUT_MS = 8e3;
var [MODULE_BYTES, WASM_BYTES] = [73054, 14239897];
var KERNEL_QUIET_MS = 8e3;
var SILENT_KERNEL = "The kernel does not answer. If it is busy, this goes on when it is free; if it has stopped, start it and run this cell again.";
var KERNEL_LATE_MS = 3e4;
var shared2 = /* @__PURE__ */ Symbol.for("gen_utils.onnxruntime");
function loadRuntime(cdn) {
  globalThis[shared2] ??= startRuntime(cdn).catch((error) => {
    delete globalThis[shared2];
    throw error;
  });
  return globalThis[shared2];
}
async function startRuntime(cdn) {
  checkWebAssembly();
  const [source, patience] = isPublished ? [siteFile("vendor/ort/"), {}] : [cdn, { stalled: CDN_TIMEOUT_MS }];
  const [module, wasm] = ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"].map((name) => source + name);
  const [ort, wasmBinary] = await Promise.all([
    loadModule(module, { size: MODULE_BYTES, ...patience }),
    loadFile(wasm, { size: WASM_BYTES, ...patience })
  ]);
  forgetFile(wasm);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = wasmBinary;
  let last = Promise.resolve();
  const inTurn = (call) => {
    const result = last.then(call);
    last = result.catch(() => {
    });
    return result;
  };
  const forget = () => {
    delete globalThis[shared2];
    forgetFile(module);
  };
  return { ort, inTurn, forget };
}
function checkWebAssembly() {
  if (!globalThis.WebAssembly) {
    throw lasting(
      "this browser has no WebAssembly, or it is switched off; a current Firefox, Chrome, Edge or Safari has it"
    );
  }
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  } catch {
    throw lasting("this site's security policy forbids WebAssembly; who runs the site can allow 'wasm-unsafe-eval'");
  }
}
async function askKernel({ invoke, signal, line }, command, message, buffers = []) {
  let told = false;
  const quiet = setInterval(() => {
    told = true;
    line.say(SILENT_KERNEL);
  }, KERNEL_QUIET_MS);
  try {
    for (let patience = KERNEL_LATE_MS; ; patience *= 2) {
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), patience);
      try {
        const both = AbortSignal.any([signal, late.signal]);
        const [answer, found] = await invoke(command, message, { buffers, signal: both });
        if (answer.error) throw new Error(answer.error);
        return [answer, found.map((view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))];
      } catch (error) {
        if (!late.signal.aborted || signal.aborted) throw error;
      } finally {
        clearTimeout(timer);
      }
    }
  } finally {
    clearInterval(quiet);
    if (told) line.say("");
  }
}
var siteBytes = ({ file, sha256 }) => loadFile(siteFile(`models/${file}?${sha256.slice(0, 8)}`), { sha256 });
async function runInKernel(view, graph, feeds) {
  const inputs = Object.entries(feeds).map(([name, { dims }]) => ({ name, dims }));
  const data = Object.values(feeds).map((feed) => feed.data);
  const [{ outputs }, buffers] = await askKernel(view, "run_graph", { graph, inputs }, data);
  return Object.fromEntries(outputs.map(({ name, dims }, i) => [name, { dims, data: new Float32Array(buffers[i]) }]));
}
async function graphRunner(view) {
  const { model, invoke, signal, onEnd, during } = view;
  if (!isPublished && !invoke) throw lasting("this page has no kernel: run its cell, or open the published course");
  let runtime;
  try {
    runtime = await loadRuntime(model.get("cdn"));
  } catch (error) {
    if (isPublished) throw error;
    const run2 = (name, feeds) => during(runInKernel(view, name, feeds));
    return { backend: "kernel", open: async () => {
    }, run: run2 };
  }
  const { ort, inTurn, forget } = runtime;
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
    const [, [buffer]] = await askKernel(view, "read_graph", name);
    return new Uint8Array(buffer);
  };
  const create = async (name) => {
    const file = await bytes(name);
    try {
      return await inTurn(() => ort.InferenceSession.create(file));
    } catch (error) {
      forget();
      throw error;
    }
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
  const line = statusLine(el);
  el.classList.add("gu-widget");
  const spare = ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true");
  el.addEventListener("focusin", spare, { signal: life.signal });
  el.style.setProperty("--gu-accent", model.get("colours").latent);
  line.wait("Loading the model into this page…");
  const attempt = async () => {
    const trial = lifetime();
    life.onEnd(trial.end);
    const view = { ...trial, model: modelOf(model, trial), invoke: experimental?.invoke, line };
    const waiting = setInterval(() => progress() && line.wait(progress()), 250);
    trial.onEnd(() => clearInterval(waiting));
    try {
      view.graphs = watched(await trial.during(graphRunner(view)), line);
      await view.graphs.open(firstGraphs(view.model));
      clearInterval(waiting);
      const { element, first, poster } = build(view);
      await trial.during(Promise.resolve(first()));
      return { element, poster, backend: view.graphs.backend };
    } catch (error) {
      trial.end();
      throw error;
    }
  };
  const show = async () => {
    const { element, poster, backend } = await persistently(attempt, line, life);
    line.say("");
    el.append(element);
    for (const poster2 of posters(el)) poster2.classList.add("gu-poster-hidden");
    el.dataset.backend = backend;
    el.poster = poster;
    el.classList.add("gu-live");
  };
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      show();
    },
    { rootMargin: "300px" }
  );
  life.observe(observer, el.closest(".cell_output") ?? el);
  return () => {
    life.end();
    el.classList.remove("gu-live");
    el.replaceChildren();
  };
}
function watched(graphs, line) {
  let told = false;
  const run = async (...given) => {
    try {
      const found = await graphs.run(...given);
      if (told) line.say("");
      told = false;
      return found;
    } catch (error) {
      told = true;
      line.say(`This did not work: ${error.message}. Change something, and it is tried again.`);
      throw error;
    }
  };
  return { ...graphs, run };
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
