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
function setter(model) {
  return (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
}

// gen_utils/page/lib/images.js
function inkImage(values, width, height) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.fill(255 * (1 - values[i]), 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  return image;
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

// gen_utils/page/widgets/turing_test/index.js
var SHOWN = 16;
var PAUSE_MS = 40;
function buildTuringTest(view) {
  const { model, graphs } = view;
  const [sources, chances, colours] = ["sources", "chances", "colours"].map((name) => model.get(name));
  const names = [
    "real",
    ...Object.keys(sources).filter((name) => name !== "real").sort()
  ];
  const settings = ["sought", "other", "pixels", "seed"];
  let round;
  let isOpen = false;
  let drawing;
  let changes = 0;
  const chosen = () => Object.fromEntries(settings.map((name) => [name, model.get(name)]));
  const kindOf = ({ sought: sought2, other: other2, pixels }) => pixels === "grey" && sources[sought2].grey && sources[other2].grey ? "grey" : "binary";
  const play = async () => {
    const [began, change, now] = [performance.now(), changes, chosen()];
    const [noise, pause, kind] = [new Noise(now.seed), pauses(view), kindOf(now)];
    const onTheLeft = noise.uniform() < 0.5;
    const sides = [];
    for (const name of [now.sought, now.other]) {
      const { batch, noise: shapes, steps, grey } = sources[name];
      const output = kind === "grey" ? grey : "binary";
      const images = new Float32Array(784 * SHOWN);
      for (let at = 0; at < SHOWN; at += batch) {
        const feeds = Object.fromEntries(
          Object.entries(shapes).map(([input, dims]) => [input, { data: drawn(noise, input, dims), dims }])
        );
        let found;
        for (let step = 0; step < (steps ?? 1); step++) {
          if (steps)
            feeds.turn = { data: Float32Array.from({ length: steps }, (_, i) => Number(i === step)), dims: [steps] };
          await pause();
          if (change !== changes) return;
          found = await graphs.run(name, feeds);
          if (steps) feeds.x = found.x_next;
        }
        images.set(found[output].data, 784 * at);
      }
      sides.push({ name, caption: output === "means" ? `${name} (means)` : name, images });
    }
    if (change !== changes) return;
    round = { ...now, kind, sides: onTheLeft ? sides : sides.reverse(), revealed: false };
    isOpen = true;
    show();
    text.textContent = KINDS[kind].hint;
    left.canvas.dataset.shown = JSON.stringify(now);
    left.canvas.dataset.took = performance.now() - began;
  };
  const draw = latest(
    () => play().catch((error) => {
      console.error(error);
      text.textContent = `These images could not be drawn: ${error.message}.`;
    })
  );
  const show = () => {
    [left, right].forEach((half2, i) => {
      const { name, caption, images } = round.sides[i];
      half2.paint(images);
      half2.caption.textContent = round.revealed ? caption : "?";
      half2.canvas.style.borderColor = round.revealed ? colours[name === "real" ? "data" : "model"] : "";
      half2.canvas.ariaLabel = `${half2.side} grid, ${SHOWN} images${round.revealed ? `: ${caption}` : ""}`;
    });
    [left.guess, right.guess, reveal].forEach((each) => each.ariaDisabled = !isOpen);
  };
  const answer = (guessed) => {
    if (!isOpen) return;
    [isOpen, round.revealed] = [false, true];
    const truth = round.sides.findIndex(({ name }) => name === round.sought);
    const verdict = guessed === void 0 ? "Not counted." : guessed === truth ? "Right!" : "Wrong.";
    let answerText = `${verdict} Left is ${round.sides[0].caption}, right is ${round.sides[1].caption}.`;
    if (guessed !== void 0) {
      const name = pairName(round);
      const [right2, asked] = model.get("scores")[name] ?? [0, 0];
      const score = [right2 + (guessed === truth), asked + 1];
      set({ scores: { ...model.get("scores"), [name]: score } });
      answerText = withScore(answerText, score, chance(...score));
    }
    show();
    text.textContent = answerText;
  };
  const pairName = ({ sought: sought2, other: other2, kind }) => `${names.filter((name) => name === sought2 || name === other2).join(" or ")}, ${KINDS[kind].name}`;
  const chance = (right2, asked) => {
    const p = chances[asked]?.[right2];
    return p === void 0 ? "…" : p < 1e-3 ? "below 0.001" : p.toPrecision(2);
  };
  const set = setter(model);
  const renew = (values) => set({ ...values, seed: model.get("seed") + 1 });
  const choice = (trait, twin, label) => {
    const options = names.map((name) => h("option", { value: name }, name));
    const element2 = h("select", { class: "gu-select", "aria-label": label }, ...options);
    element2.addEventListener(
      "change",
      () => renew({
        [trait]: element2.value,
        [twin]: element2.value === model.get(twin) ? model.get(trait) : model.get(twin)
      })
    );
    return element2;
  };
  const sought = choice("sought", "other", "The source to be found");
  const other = choice("other", "sought", "The source beside it");
  const kinds = Object.entries(KINDS).map(
    ([kind, { name }]) => h(
      "button",
      { type: "button", class: "gu-button", onclick: () => greyFor(kind) && renew({ pixels: kind }) },
      name
    )
  );
  const greyFor = (kind) => {
    const lacking = [model.get("sought"), model.get("other")].find((name) => !sources[name].grey);
    if (kind === "grey" && lacking) text.textContent = `${lacking} draws black and white pixels only.`;
    return kind !== "grey" || !lacking;
  };
  const text = h("p", { class: "gu-hint", role: "status" });
  const [left, right] = ["Left", "Right"].map((side, i) => {
    const guess = button("", () => answer(i));
    guess.classList.add("gu-guess");
    return { side, guess, caption: h("div", { class: "gu-caption" }), ...gridCanvas() };
  });
  const reveal = button("Tell me", () => answer());
  const again = button("New round", () => renew({}));
  const forget = button("Clear scores", () => set({ scores: {} }));
  const rows = h("tbody", {});
  const table = h(
    "table",
    { class: "gu-table" },
    h("thead", {}, h("tr", {}, ...["guessed", "right", "by chance"].map((name) => h("th", { scope: "col" }, name)))),
    rows
  );
  const showSettings = () => {
    const now = chosen();
    [sought.value, other.value] = [now.sought, now.other];
    kinds.forEach((each, i) => {
      each.ariaPressed = Object.keys(KINDS)[i] === kindOf(now);
      each.ariaDisabled = Object.keys(KINDS)[i] === "grey" && kindOf({ ...now, pixels: "grey" }) !== "grey";
    });
    [left, right].forEach(({ side, guess }) => guess.textContent = `${side} is ${now.sought}`);
  };
  const showScores = () => {
    const scores = Object.entries(model.get("scores")).sort();
    rows.replaceChildren(
      ...scores.map(
        ([name, [right2, asked]]) => h(
          "tr",
          {},
          h("th", { scope: "row" }, name),
          ...[`${right2} of ${asked}`, chance(right2, asked)].map((value) => h("td", {}, value))
        )
      )
    );
    table.hidden = !scores.length;
  };
  model.on("change:scores", showScores);
  model.on(settings.map((name) => `change:${name}`).join(" "), () => {
    changes += 1;
    isOpen = false;
    if (round) show();
    text.textContent = "Drawing …";
    showSettings();
    drawing = draw();
  });
  const longest = `${[...names].sort((a, b) => b.length - a.length)[0]} (means)`;
  const longestAnswer = `Wrong. Left is ${longest}, right is ${longest}.`;
  const half = ({ canvas, caption, guess }) => h("div", {}, canvas, caption, guess);
  const element = h(
    "div",
    { class: "gu-turing", style: `--gu-accent: ${colours.model}` },
    h(
      "div",
      { class: "gu-setting" },
      h("span", {}, "Which side is ", sought),
      h("span", {}, "and which is ", other, " ?"),
      h("div", { class: "gu-buttons", role: "group", "aria-label": "Pixels" }, ...kinds)
    ),
    h("div", { class: "gu-pair" }, half(left), half(right)),
    reserve(
      text,
      ...Object.values(KINDS).map(({ hint }) => hint),
      withScore(longestAnswer, [888, 888], "below 0.001")
    ),
    h("div", { class: "gu-buttons" }, reveal, again, forget),
    table
  );
  showSettings();
  showScores();
  const poster = async () => {
    set({ seed: model.get("seed") - 1 });
    await drawing;
    answer();
  };
  return { element, first: play, poster };
}
var withScore = (answer, [right, asked], chance) => `${answer} Right so far: ${right} of ${asked}. Tossing coins does as well or better with probability ${chance}.`;
var KINDS = {
  grey: { name: "grey", hint: "Both sides in grey." },
  binary: {
    name: "black and white",
    hint: "Both sides in black and white: each pixel is drawn with its grey as the probability of ink."
  }
};
function drawn(noise, input, dims) {
  const n = dims.reduce((a, b) => a * b);
  return input.startsWith("u") ? noise.uniforms(n) : noise.normal(n);
}
function pauses(view) {
  let last = -Infinity;
  return async () => {
    if (performance.now() - last < PAUSE_MS) return;
    await view.nextFrame();
    await view.sleep(0);
    last = performance.now();
  };
}
function gridCanvas() {
  const canvas = h("canvas", { class: "gu-image", role: "img", width: 112, height: 112 });
  const context = canvas.getContext("2d");
  const paint = (images) => {
    for (let i = 0; i < SHOWN; i++) {
      context.putImageData(
        inkImage(images.subarray(784 * i, 784 * (i + 1)), 28, 28),
        28 * (i % 4),
        28 * Math.floor(i / 4)
      );
    }
  };
  return { canvas, paint };
}
var turing_test_default = widget(buildTuringTest, (model) => [model.get("sought"), model.get("other")]);
export {
  turing_test_default as default
};
