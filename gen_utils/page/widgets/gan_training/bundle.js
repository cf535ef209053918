// gen_utils/page/lib/elements.js
function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key2, value] of Object.entries(properties)) {
    if (key2.startsWith("on")) node.addEventListener(key2.slice(2), value);
    else if (value !== void 0 && value !== false) node.setAttribute(key2, value === true ? "" : value);
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
var key = (colour, text) => h("span", {}, h("span", { class: "gu-key", style: `background: ${colour}` }), text);
function tallies(names) {
  const numbers = names.map(() => h("strong"));
  const parts = names.map((name, i) => h("div", {}, numbers[i], h("span", {}, ...[name].flat())));
  const set = (texts) => {
    texts.forEach((text, i) => {
      numbers[i].textContent = text;
    });
  };
  return { element: h("div", { class: "gu-tallies" }, ...parts), set };
}
var grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, " ");
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
  const [loaded, total] = ["loaded", "total"].map((key2) => coming.reduce((sum, file) => sum + file[key2], 0));
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
    const tensors = Object.entries(feeds).map(([key2, { data, dims }]) => [
      key2,
      new ort.Tensor("float32", data, dims)
    ]);
    return during(inTurn(() => signal.aborted || sessions[name].run(Object.fromEntries(tensors))));
  };
  return { backend: "browser", open, run };
}
var scalar = (value) => ({ data: Float32Array.of(value), dims: [1] });

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

// gen_utils/page/widgets/gan_training/index.js
var CHUNK_MS = 10;
var PAINT_MS = 60;
var SLOW_PAINT_MS = 1e3;
var POSTER_STEPS = 1e3;
var DENSITIES = { ring: "Ring", grid: "Grid", moons: "Moons" };
var LOSSES = { minimax: "Minimax", non_saturating: "Non-saturating", wgan_gp: "WGAN-GP", r1: "R1" };
var FIELDS = ["D(x), from 0 to 1", "critic's score, low to high"];
var READY = "Press Start: discriminator and generator take turns. The generator draws with the mean of its latest weights.";
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
  let message = "";
  const look = {
    class: "gu-map",
    role: "img",
    "aria-label": "The plane: real points, generated points, and the discriminator's field under them"
  };
  const plane = drawnCanvas(
    view,
    look,
    (context, side) => gan.shown && paintPlane(context, side, scenes[gan.density], gan, colours)
  );
  const losses = {
    class: "gu-curve",
    role: "img",
    "aria-label": "The losses of discriminator and generator after each step"
  };
  const chart = drawnCanvas(
    view,
    losses,
    (context, width, height) => paintLosses(context, width, height, gan.curves, colours)
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
      rate: pace.rate
    };
    plane.element.dataset.shown = JSON.stringify({
      ...numbers,
      running,
      trouble: gan.trouble,
      complete: gan.complete,
      seed: gan.seed
    });
  };
  const showControls = () => {
    start2.textContent = running ? "Pause" : "Start";
    for (const [name, choices2] of [
      ["density", densities],
      ["loss", lossChoices]
    ]) {
      for (const [value, choice] of Object.entries(choices2))
        choice.setAttribute("aria-pressed", value === model.get(name));
    }
    lr.set(Math.log10(model.get("lr")));
    dSteps.set(model.get("d_steps"));
  };
  let queue = Promise.resolve();
  const doNext = (work) => queue = queue.then(work);
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
      const now = await view.nextFrame();
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
  const set = setter(model);
  model.on("change:density change:loss change:seed", () => restart(running ? "Training from a new start." : READY));
  model.on("change:lr change:d_steps", showControls);
  const choices = (name, texts) => Object.fromEntries(
    Object.entries(texts).map(([value, text]) => [value, button(text, () => set({ [name]: value }))])
  );
  const [densities, lossChoices] = [choices("density", DENSITIES), choices("loss", LOSSES)];
  const group = (name, members) => h(
    "div",
    { class: "gu-setting" },
    h("span", { "aria-hidden": "true" }, name),
    h("div", { class: "gu-buttons", role: "group", "aria-label": name }, ...Object.values(members))
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
    oninput: (exponent) => set({ lr: twoDigits(exponent) })
  });
  const dSteps = slider({
    label: "Updates of the discriminator for each of the generator",
    symbol: "D updates",
    min: 1,
    max: 5,
    step: 1,
    value: initial.d_steps,
    format: String,
    oninput: (n) => set({ d_steps: n })
  });
  const start2 = button("Start", () => running ? pause() : train(), "Pause");
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
        h("span", {}, h("span", { class: "gu-shade" }), reserve(ground, ...FIELDS))
      ),
      tally.element,
      h(
        "div",
        { class: "gu-buttons gu-runs" },
        start2,
        button("Step", once),
        button("Reset", reset),
        button("New start", () => set({ seed: model.get("seed") + 1 })),
        button("Defaults", toDefaults)
      ),
      reserve(status, READY, divergence(888888, notFinite("discriminator", -888e36)))
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
        key(colours.model, "generator's loss")
      ),
      chart.element
    )
  );
  const observer = new IntersectionObserver((entries) => {
    inView = entries.at(-1).isIntersecting;
  });
  view.observe(observer, element);
  plane.element.gan = gan;
  const poster = async () => {
    while (gan.step < POSTER_STEPS && !gan.trouble) await doNext(step);
    await doNext(picture);
  };
  return { element, first: () => restart(READY), poster };
}
function speedometer() {
  let marks = [];
  const meter = { rate: 0 };
  meter.stop = () => marks = [];
  meter.count = (steps) => {
    const now = performance.now();
    marks.push({ now, steps });
    while (marks.length > 2 && now - marks[0].now > 1e3) marks.shift();
    const done = marks.slice(1).reduce((sum, mark) => sum + mark.steps, 0);
    if (now - marks[0].now > 200) meter.rate = 1e3 * done / (now - marks[0].now);
  };
  meter.text = () => meter.rate ? grouped(Math.round(meter.rate)) : "–";
  return meter;
}
function ganState(graphs, { weights, latent, batch, samples, real, enough }, updates) {
  const gan = { step: 0, trouble: "", complete: 0, shown: null, curves: [] };
  let [noise, theta, phi, z, drawn] = [];
  const normal = (...dims) => ({ data: noise.normal(dims.reduce((a, b) => a * b)), dims });
  const uniform = (...dims) => ({ data: noise.uniforms(dims.reduce((a, b) => a * b)), dims });
  const points = () => graphs.run(`data_${gan.density}`, { u: uniform(batch), eps: normal(batch, 2) });
  const updated = async (player, own, net, feeds, lr) => {
    const found = await graphs.run(updates[gan.loss][player], {
      ...net.state,
      ...feeds,
      lr: scalar(lr),
      step: scalar(net.updates + 1)
    });
    const loss = found.loss.data[0];
    if (!Number.isFinite(loss)) throw new Diverged(`the ${player}'s loss became ${loss}`);
    const state = Object.fromEntries(Object.keys(net.state).map((name) => [name, found[`new_${name}`]]));
    if (!allFinite(state[own].data)) throw new Diverged(notFinite(player, loss));
    return { state, updates: net.updates + 1, loss };
  };
  gan.update = async (lr, dSteps) => {
    try {
      let discriminator = phi;
      for (let i = 0; i < dSteps; i++) {
        const feeds = {
          theta: theta.state.theta,
          x: (await points()).x,
          z: normal(batch, latent),
          u: uniform(batch, 1)
        };
        discriminator = await updated("discriminator", "phi", discriminator, feeds, lr);
      }
      theta = await updated(
        "generator",
        "theta",
        theta,
        { phi: discriminator.state.phi, z: normal(batch, latent) },
        lr
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
      curves: [curve(), curve()]
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
      quality: found.quality.data[0]
    };
    gan.shown.found = gan.shown.isFound.filter(Boolean).length;
  };
  gan.weights = () => ({ theta: theta.state.theta.data, phi: phi.state.phi.data, average: theta.state.average.data });
  return gan;
}
var Diverged = class extends Error {
};
var notFinite = (player, loss) => `the ${player}'s loss was ${loss.toPrecision(3)}, but not all its new weights are finite`;
var divergence = (step, reason) => `Training diverged at step ${grouped(step + 1)}: ${reason}. These are the weights of step ${grouped(step)}. Lower the learning rate and press Start, or press New start.`;
function allFinite(values) {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}
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
function paintPlane(context, side, { centre, limit, modes, radius }, { shown }, colours) {
  const toPixels = (x, y) => [
    (x - centre[0] + limit) / (2 * limit) * side,
    (limit - y + centre[1]) / (2 * limit) * side
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
    context.arc(...toPixels(x, y), radius / (2 * limit) * side + 7, 0, 2 * Math.PI);
    context.stroke();
  });
  context.setLineDash([]);
}
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
  const [xRange, yRange] = [[0, 1.04 * last], wide(all.length ? all : [0, 1])];
  const { toX, toY } = paintChart(context, width, height, {
    x: { range: xRange, ticks: roundTicks(xRange), name: "step" },
    y: { range: yRange, ticks: roundTicks(yRange), name: "loss" }
  });
  context.lineWidth = 1.5;
  [colours.decision, colours.model].forEach((colour, i) => {
    context.strokeStyle = colour;
    context.beginPath();
    curves[i].means.forEach((value, n) => context.lineTo(toX((n + 1) * curves[i].stride), toY(value)));
    context.stroke();
  });
}
var roundUp = (value) => [1, 2, 5, 10].map((m) => m * 10 ** Math.floor(Math.log10(value))).find((round) => round >= value);
function wide(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = roundUp(Math.max(high - low, 0.1) / 5);
  return [step * Math.floor(low / step - 0.2), step * Math.ceil(high / step + 0.2)];
}
var gan_training_default = widget(buildGANTraining);
export {
  gan_training_default as default
};
