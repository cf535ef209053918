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

// gen_utils/page/widgets/density_pad/index.js
var KINDS = { train: "training points", held_out: "held-out points" };
var MARKS = { train: "●", held_out: "◇" };
var ROW = 26;
var [LEFT, RIGHT, ABOVE, BELOW] = [34, 10, 30, 2 * ROW + 34];
function buildDensityPad(view) {
  const { model, graphs } = view;
  const [most, grid, limit, names] = ["most", "grid", "limit", "names"].map((name) => model.get(name));
  const begin = { train: model.get("train"), held_out: model.get("held_out"), bandwidth: model.get("bandwidth") };
  const place = Float32Array.from({ length: grid }, (_, i) => (2 * i / (grid - 1) - 1) * limit);
  const hint = h("p", { class: "gu-hint", role: "status" });
  const table = scoreTable(names);
  let kind = "train";
  let density = null;
  const at = { cursor: 0 };
  const look = {
    class: "gu-line",
    role: "application",
    "aria-roledescription": "line of points",
    tabindex: 0,
    "aria-label": "Line of points: click, or move with the left and right arrow keys and press Enter, to add or remove a point"
  };
  const chart = drawnCanvas(
    view,
    look,
    (context, width, height) => paintDensities(context, width, height, {
      names,
      limit,
      place,
      density,
      kind,
      colours: model.get("colours"),
      cursor: chart.element.matches(":focus-visible") ? at.cursor : null,
      points: Object.fromEntries(Object.keys(KINDS).map((k) => [k, model.get(k)]))
    })
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
        dims: [most]
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
  const set = setter(model);
  handleInput(chart, model, { kindOf: () => kind, showHint, set, at });
  const [low, high] = model.get("bandwidths");
  const bandwidthAt = (step) => low * (high / low) ** (step / 100);
  const stepOf = (bandwidth2) => 100 * Math.log(bandwidth2 / low) / Math.log(high / low);
  const bandwidth = slider({
    label: "Bandwidth h",
    symbol: "<i>h</i>",
    format: (step) => bandwidthAt(step).toPrecision(3),
    min: 0,
    max: 100,
    step: 1,
    value: stepOf(begin.bandwidth),
    oninput: (step) => set({ bandwidth: Number(bandwidthAt(step).toPrecision(3)) })
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
        button("Reset", () => set(begin))
      )
    ),
    h("div", { class: "gu-pad" }, table.element)
  );
  return { element, first: draw };
}
var countOf = (n, m) => `${n} training ${n === 1 ? "point" : "points"}, ${m} held out. Click to add one, or on one to remove it.`;
function handleInput(chart, model, { kindOf, showHint, set, at }) {
  const [most, limit] = ["most", "limit"].map((name) => model.get(name));
  const add = (x) => {
    const kind = kindOf();
    const points = model.get(kind);
    if (points.length < most) set({ [kind]: [...points, x] });
    else showHint(`There is room for ${most} ${KINDS[kind]}: remove one first.`);
  };
  const remove = (name, i) => set({ [name]: model.get(name).filter((_, j) => j !== i) });
  const near = (name, x, reach) => {
    const away = model.get(name).map((point) => Math.abs(point - x));
    const nearest = Math.min(...away);
    return nearest <= reach ? away.indexOf(nearest) : -1;
  };
  const clamp = (x) => Math.round(100 * Math.max(-limit, Math.min(limit, x))) / 100;
  chart.element.addEventListener("click", (event) => {
    const box = chart.element.getBoundingClientRect();
    const unit = (box.width - LEFT - RIGHT) / (2 * limit);
    const x = clamp((event.clientX - box.left - LEFT) / unit - limit);
    const row = Math.floor((event.clientY - box.bottom + BELOW) / ROW);
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
        `At x = ${at.cursor.toFixed(1).replace("-", "−")}: Enter ${near(kind, at.cursor, 0.05) < 0 ? "adds" : "removes"} one of the ${KINDS[kind]}.`
      );
    } else {
      const found = near(kind, at.cursor, 0.05);
      if (found < 0) add(at.cursor);
      else remove(kind, found);
    }
  });
  for (const event of ["focus", "blur"]) chart.element.addEventListener(event, chart.repaint);
}
function scoreTable(names) {
  const rows = names.map(() => [h("td"), h("td")]);
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, "mean log-likelihood, nats"),
    h("th", { scope: "col" }, "training"),
    h("th", { scope: "col" }, "held out")
  );
  const body = names.map((name, k) => h("tr", {}, h("th", { scope: "row" }, name), ...rows[k]));
  const write = (v) => {
    if (Number.isNaN(v)) return "–";
    if (!Number.isFinite(v)) return v > 0 ? "∞" : "−∞";
    return v.toFixed(Math.abs(v) < 1e3 ? 2 : 0).replace("-", "−");
  };
  const set = (...columns) => rows.forEach((cells, k) => cells.forEach((cell, c) => cell.textContent = write(columns[c][k])));
  return { element: h("table", { class: "gu-table" }, h("thead", {}, head), h("tbody", {}, ...body)), set };
}
function paintDensities(context, width, height, { names, limit, place, density, kind, colours, cursor, points }) {
  const ground = height - BELOW;
  const toX = (x) => LEFT + (x + limit) / (2 * limit) * (width - LEFT - RIGHT);
  const tallest = Math.max(0, ...(density ?? []).flatMap((curve2) => Array.from(curve2).filter(Number.isFinite)));
  const top = [0.5, 1, 2, 5, 10, 20].find((scale) => tallest <= scale) ?? 50;
  const toY = (d) => ground - Math.min(d, 1.05 * top) / top * (ground - ABOVE);
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
      [-6.5, 0]
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
var density_pad_default = widget(buildDensityPad);
export {
  density_pad_default as default
};
