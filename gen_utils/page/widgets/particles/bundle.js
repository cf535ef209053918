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
function byDirection(points, sectors) {
  const members = Array.from({ length: sectors }, () => []);
  for (let i = 0; i < points.length / 2; i++) {
    const turn = Math.atan2(points[2 * i + 1], points[2 * i]) / (2 * Math.PI) + 1;
    members[Math.floor(turn * sectors) % sectors].push(i);
  }
  return members;
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

// gen_utils/page/widgets/particles/index.js
var RUN_MS = 4e3;
var STEP_MS = 700;
var STEPWISE_MS = 600;
var STEPWISE_STATES = 8;
var CHUNK_MS = 10;
var PATIENCE_MS = 300;
var SCORES = ["exact", "learned"];
var percent = (part) => `${(100 * part).toFixed(1)} %`;
var OF_DATA = [
  ["inside the inner line", 50],
  ["outside the outer line", 1]
];
var HINTS = {
  start: "Noise, the same on both sides. A colour is the direction in which a particle starts.",
  between: "On the way. Grey lines lead from their dots where the score points, further where it is stronger.",
  end: "The end. Blue: real data. The lines go around the densest 50 % and 99 % of them."
};
function buildParticles(view) {
  const { model } = view;
  const [limit, palette, choices, particles, data, lines] = [
    "limit",
    "palette",
    "choices",
    "particles",
    "data",
    "lines"
  ].map((name) => model.get(name));
  const colours = model.get("colours");
  const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  const begin = runs(view, particles, palette.length);
  let run = null;
  let position = 0;
  let shown = null;
  let goal = null;
  let gliding = false;
  let inView = true;
  let steps = model.get("steps");
  const panels = SCORES.map((score) => {
    const look = {
      class: "gu-map",
      role: "img",
      "aria-label": `A thousand particles under the ${score} score, over the data`
    };
    const { element: element2, repaint } = drawnCanvas(view, look, (context, side) => {
      const place = (value) => (value + limit) / (2 * limit) * side;
      paintData(context, place, data, colours.data);
      if (shown) paintParticles(context, place, { ...shown, score, palette, side, colour: colours.noise });
      paintLines(context, place, lines, getComputedStyle(element2).color);
    });
    const tally = tallies(OF_DATA.map(([name2, real]) => [name2, h("br"), `data: ${real} %`]));
    const name = h("div", { class: "gu-caption" }, h("b", {}, `${score} score`));
    return { score, canvas: element2, repaint, tally, element: h("div", {}, name, element2, tally.element) };
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
        shares: Array.from(shares)
      });
    }
  };
  const settle = latest(async () => {
    const settings = Object.fromEntries(["steps", "eta", "seed"].map((name) => [name, model.get(name)]));
    const isWanted = () => Object.entries(settings).every(([name, value]) => model.get(name) === value);
    if (JSON.stringify(run?.settings) !== JSON.stringify(settings)) run = begin(settings);
    const wanted = Math.min(position, settings.steps);
    if (!await run.reach(Math.min(Math.floor(wanted) + 1, settings.steps), isWanted)) return;
    shown = { run, position: wanted };
    show();
  });
  const set = setter(model);
  const showSettings = () => {
    choices.forEach((choice, i) => counts[i].setAttribute("aria-pressed", choice === model.get("steps")));
    eta.set(model.get("eta"));
    time.set(Math.floor(position), steps);
  };
  model.on("change:steps", () => {
    position = Math.round(position / steps * model.get("steps"));
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
      const now = await view.nextFrame();
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
      if (goal === steps) return playTo(Math.ceil(position));
      if (position === steps) position = 0;
      return playTo(steps);
    },
    "Pause"
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
    oninput: (value) => set({ eta: value })
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
      h("div", { class: "gu-buttons", role: "group", "aria-label": "Number of steps" }, ...counts)
    ),
    eta.element,
    reserve(status, ...Object.values(HINTS))
  );
  const observer = new IntersectionObserver((entries) => {
    inView = entries.at(-1).isIntersecting;
  });
  view.observe(observer, element);
  panels.forEach(({ canvas, score }) => canvas.states = () => shown.run.states.map((state) => state[score].x));
  const first = () => {
    showSettings();
    return settle();
  };
  return { element, first, poster: () => playTo(steps) };
}
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
    oninput
  });
  const set = (step, steps) => {
    last = made.element.querySelector("input").max = steps;
    made.set(step);
  };
  return { element: made.element, set };
}
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
    const start2 = draw(seed, 0);
    const run = { settings, states: [], members: byDirection(start2, sectors) };
    const begin = async () => run.states.push({ exact: await state(start2), learned: await state(start2) });
    const advance = async () => {
      const [now, next] = [run.states.at(-1), {}];
      const done = run.states.length - 1;
      for (const score of SCORES) {
        const given = {
          noise: points(draw(seed, done + 1)),
          i: scalar(steps - done),
          steps: scalar(steps),
          eta: scalar(eta)
        };
        const found = await graphs.run(score, { x: points(now[score].x), ...given });
        now[score].arrows = found.arrows.data;
        next[score] = await state(found.x_next.data);
      }
      run.states.push(next);
    };
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
function paintData(context, place, data, colour) {
  context.globalAlpha = 0.3;
  context.fillStyle = colour;
  for (const [x, y] of data) context.fillRect(place(x) - 1, place(-y) - 1, 2, 2);
  context.globalAlpha = 1;
}
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
    const [x, y] = [(Math.floor(i / across) + 0.5) * cell, (across - i % across - 0.5) * cell];
    const [dx, dy] = [arrows[2 * i], -arrows[2 * i + 1]];
    const scale = 0.8 * cell / Math.max(2, Math.hypot(dx, dy));
    context.moveTo(x, y);
    context.lineTo(x + scale * dx, y + scale * dy);
    context.fillRect(x - context.lineWidth, y - context.lineWidth, 2 * context.lineWidth, 2 * context.lineWidth);
  }
  context.stroke();
  context.globalAlpha = 1;
}
var particles_default = widget(buildParticles);
export {
  particles_default as default
};
