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
var signed = (text) => String(text).replace("-", "−");
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
function placeOnPlane(event, limit) {
  const box = event.currentTarget.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * 2 * limit - limit;
  const y = limit - (event.clientY - box.top) / box.height * 2 * limit;
  return [x, y];
}
var arrowMoves = (step) => ({
  ArrowLeft: [-step, 0],
  ArrowRight: [step, 0],
  ArrowUp: [0, step],
  ArrowDown: [0, -step]
});

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
function roundTicks([low, high]) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 5));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= (high - low) / 5);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, i) => [(first + i) * step, signed(((first + i) * step).toFixed(digits))]);
}

// gen_utils/page/lib/images.js
var rgb = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));

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

// gen_utils/page/widgets/em_steps/index.js
var PAUSE_MS = 80;
var REACH = 10;
function buildEMSteps(view) {
  const { model, graphs } = view;
  const [limit, palette, choices, room, most, settled] = [
    "limit",
    "palette",
    "choices",
    "room",
    "most",
    "settled"
  ].map((name) => model.get(name));
  const [points, components, seed] = ["points", "components", "seed"].map((name) => () => model.get(name));
  const initial = { points: points(), components: components(), seed: seed() };
  const em = emState(graphs, { limit, room });
  let running = false;
  let ended = "";
  const pad = pointPad(view, {
    label: "Plane of points: a click adds a point or removes the one under it; arrow keys move a cursor, Enter adds or removes there",
    limit,
    points,
    draw: (context, toPixels) => paintMixture(context, toPixels, { palette, ...em.shown }),
    onchange: (changed) => changed.length <= room && set({ points: changed })
  });
  const look = { class: "gu-curve", role: "img", "aria-label": "Mean log-likelihood after each step of EM, in nats" };
  const curve = drawnCanvas(
    view,
    look,
    (context, width, height) => paintCurve(context, width, height, em.history, model.get("colours").model)
  );
  const reading = h("p", { class: "gu-hint" });
  const message = h("p", { class: "gu-hint", role: "status" });
  const show = () => {
    const [step2, value] = [em.history.length - 1, em.history.at(-1)];
    reading.textContent = em.history.length ? `Step ${step2}: mean log p(x) = ${value.toFixed(3).replace("-", "−")} nats. ${ended}` : "";
    message.textContent = em.trouble || invitation(points().length, room);
    message.classList.toggle("gu-alert", Boolean(em.trouble));
    run.textContent = running ? "Stop" : "Run";
    count.set(choices.indexOf(components()));
    pad.repaint();
    curve.repaint();
    const numbers = Object.entries(em.parameters ?? {}).map(([name, { data }]) => [name, Array.from(data)]);
    const state = { step: step2, value, running, trouble: em.trouble, points: points().length, seed: seed() };
    pad.element.dataset.shown = JSON.stringify({ ...state, ...Object.fromEntries(numbers) });
  };
  let queue = Promise.resolve();
  const doNext = (work) => queue = queue.then(work).then(show);
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
    oninput: (i) => set({ components: choices[i] })
  });
  const run = button("Run", toggle, "Stop");
  const reset = () => {
    set(initial);
    restart();
  };
  const element = h(
    "div",
    { class: "gu-columns" },
    h(
      "div",
      { class: "gu-pad" },
      pad.element,
      reserve(message, invitation(888, room), collapsed(choices.at(-1), "one point"))
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
        run
      ),
      reserve(reading, "Step 888: mean log p(x) = −88.888 nats. EM has settled."),
      curve.element,
      h(
        "div",
        { class: "gu-buttons" },
        button("No points", () => set({ points: [] })),
        button("Reset", reset)
      )
    )
  );
  return { element, first: restart, poster: toggle };
}
function emState(graphs, { limit, room }) {
  const em = { parameters: null, history: [], shown: { points: [] }, trouble: "" };
  let [points, K, next] = [[], 0, null];
  const picture = (components, parameters) => {
    const [x, weight] = [new Float32Array(2 * room), new Float32Array(room).fill(1, 0, points.length)];
    x.set(points.flat());
    return graphs.run(`steps${components}`, {
      x: { data: x, dims: [room, 2] },
      weight: { data: weight, dims: [room] },
      ...parameters
    });
  };
  const adopt = async (parameters) => {
    const found = await picture(K, parameters);
    const [value] = found.log_likelihood.data;
    em.parameters = parameters;
    if (Number.isFinite(value)) em.history.push(value);
    const [outline, mu] = [found.outline.data, parameters.mu.data];
    em.trouble = collapse(parameters, outline, points.length, 5e-3 * limit);
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
    const [noise, chosen] = [new Noise(seed), /* @__PURE__ */ new Map()];
    while (chosen.size < K) {
      const point = points[Math.floor(noise.uniform() * points.length)];
      chosen.set(String(point), point);
    }
    const tensor = (data, ...dims) => ({ data: Float32Array.from(data), dims });
    const wide = tensor([limit ** 2, 0, 0, limit ** 2], 1, 2, 2);
    const all = await picture(1, { pi: tensor([1], 1), mu: tensor([0, 0], 1, 2), covariance: wide });
    const covariance = tensor(Array(K).fill(Array.from(all.new_covariance.data)).flat(), K, 2, 2);
    await adopt({ pi: tensor(Array(K).fill(1 / K), K), mu: tensor([...chosen.values()].flat(), K, 2), covariance });
    if (em.trouble) em.trouble = "All points lie on a line: add one beside it.";
  };
  em.setPoints = async (newPoints, components, seed) => {
    if (!em.parameters || em.trouble || newPoints.length <= K) return em.restart(newPoints, components, seed);
    points = newPoints;
    em.history = [];
    return adopt(em.parameters);
  };
  return em;
}
var invitation = (n, room) => `Click to add a point, click a point to remove it: ${n} of at most ${room}.`;
var collapsed = (k, place) => `Component ${k} has collapsed on ${place}: its likelihood grows without limit. Press New start.`;
function collapse({ pi, covariance }, outline, N, tiny) {
  const K = pi.data.length;
  const half = outline.length / K / 4;
  for (let k = 0; k < K; k++) {
    const at = (i) => outline.subarray(2 * (2 * half * k + i), 2 * (2 * half * k + i) + 2);
    const across = Array.from(
      { length: half },
      (_, i) => Math.hypot(at(i)[0] - at(i + half)[0], at(i)[1] - at(i + half)[1])
    );
    if (Math.min(...across) > tiny) continue;
    const isPoint = N * pi.data[k] < 1.5 || Math.max(covariance.data[4 * k], covariance.data[4 * k + 3]) < tiny ** 2;
    return collapsed(k + 1, isPoint ? "one point" : "a line");
  }
  return "";
}
function pointPad(view, { label, limit, points, draw, onchange }) {
  const cursor = [0, 0];
  const look = {
    class: "gu-plane gu-tap",
    role: "application",
    "aria-roledescription": "plane",
    "aria-label": label,
    tabindex: 0
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
      [0, 1]
    ].forEach(([dx, dy]) => {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 15 * dx, y + 15 * dy);
    });
    context.stroke();
  });
  const toggle = (place) => {
    const reach = REACH / element.clientWidth * 2 * limit;
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
    arrows[event.key].forEach((move, i) => cursor[i] = Math.max(-limit, Math.min(limit, cursor[i] + move)));
    repaint();
  });
  element.addEventListener("focus", repaint);
  element.addEventListener("blur", repaint);
  return { element, repaint };
}
function paintMixture(context, toPixels, { palette, points, responsibilities, outline, mu }) {
  const colours = palette.map(rgb);
  const K = mu ? mu.length / 2 : 0;
  const edge = context.strokeStyle;
  points.forEach((point, i) => {
    const mix = [0, 1, 2].map(
      (c) => colours.slice(0, K).reduce((sum, colour, k) => sum + responsibilities[K * i + k] * colour[c], 0)
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
function paintCurve(context, width, height, history, colour) {
  const [low, high] = history.length ? [Math.min(...history), Math.max(...history)] : [-1, 0];
  const spare = Math.max(0.1 * (high - low), 0.02);
  const [xRange, yRange] = [
    [0, Math.max(10, history.length - 1)],
    [low - spare, high + spare]
  ];
  const { toX, toY } = paintChart(context, width, height, {
    x: { range: xRange, ticks: roundTicks(xRange), name: "step of EM" },
    y: { range: yRange, ticks: roundTicks(yRange), name: "mean log p(x) / nats" }
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
var em_steps_default = widget(buildEMSteps);
export {
  em_steps_default as default
};
