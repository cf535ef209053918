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

// gen_utils/page/lib/images.js
function inkImage(values, width, height) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.fill(255 * (1 - values[i]), 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  return image;
}
function imageCanvas(label, width, height, count = 1) {
  const look = { class: "gu-image", role: "img", "aria-label": label, width: count * width, height };
  const element = h("canvas", look);
  const context = element.getContext("2d");
  const size = width * height;
  const paint = (values) => {
    for (let i = 0; i < count; i++) {
      context.putImageData(inkImage(values.subarray(i * size, (i + 1) * size), width, height), i * width, 0);
    }
  };
  return { element, paint };
}
function imageBytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
var isBlank = (values) => values.every((value) => value === 0);

// gen_utils/page/lib/drawing_pad.js
var PAD_SIDE = 280;
var PEN_WIDTH = PAD_SIDE / 12;
var PEN_STEP = 7;
function drawingPad({ label, examples = new Uint8Array(), onchange }) {
  const canvas = h("canvas", {
    class: "gu-ink",
    role: "application",
    "aria-roledescription": "drawing pad",
    tabindex: 0,
    "aria-label": `${label}: draw with a finger, a pen or the mouse, or move with the arrow keys and press Space to lower or lift the pen`,
    width: PAD_SIDE,
    height: PAD_SIDE
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const cursor = h("span", { class: "gu-cursor", hidden: true });
  const note = h("p", { class: "gu-hint", role: "status" });
  const fill = () => {
    canvas.classList.remove("gu-ghost");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, PAD_SIDE, PAD_SIDE);
  };
  const clear = () => {
    fill();
    onchange();
  };
  const ink = () => {
    const { data } = context.getImageData(0, 0, PAD_SIDE, PAD_SIDE);
    const values = new Float32Array(PAD_SIDE * PAD_SIDE);
    for (let i = 0; i < values.length; i++) values[i] = 1 - data[4 * i] / 255;
    return { data: values, dims: [1, 1, PAD_SIDE, PAD_SIDE] };
  };
  const setImage = (bytes) => {
    const small = h("canvas", { width: 28, height: 28 });
    const values = Float32Array.from(bytes, (byte) => byte / 255);
    small.getContext("2d").putImageData(inkImage(values, 28, 28), 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, PAD_SIDE, PAD_SIDE);
    canvas.classList.add("gu-ghost");
  };
  let shown = 0;
  const showExample = (k) => {
    shown = k;
    setImage(examples.subarray(784 * k, 784 * (k + 1)));
    onchange();
  };
  const pen = () => penOn(context, () => canvas.classList.contains("gu-ghost") && fill());
  drawWithKeys(canvas, pen(), onchange, cursor, note);
  drawWithPointer(canvas, pen(), onchange);
  fill();
  const buttons = h("div", { class: "gu-buttons" }, button("Clear", clear));
  if (examples.length)
    buttons.prepend(button("An example", () => showExample((shown + 1) % (examples.length / 784))));
  const element = h("div", { class: "gu-pad" }, h("div", { class: "gu-paper" }, canvas, cursor), note, buttons);
  return { element, buttons, ink, setImage, showExample, clear };
}
function penOn(context, onlower) {
  let last, middle;
  const line = (...curve) => {
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = PEN_WIDTH;
    context.strokeStyle = "#000";
    context.beginPath();
    context.moveTo(...middle);
    context.quadraticCurveTo(...curve);
    context.stroke();
  };
  const lower = (x, y) => {
    onlower();
    last = middle = [x, y];
    context.fillStyle = "#000";
    context.beginPath();
    context.arc(x, y, PEN_WIDTH / 2, 0, 2 * Math.PI);
    context.fill();
  };
  const move = (x, y) => {
    const next = [(last[0] + x) / 2, (last[1] + y) / 2];
    line(...last, ...next);
    middle = next;
    last = [x, y];
  };
  const lift = () => line(...last, ...last);
  return { lower, move, lift };
}
function drawWithPointer(canvas, pen, onchange) {
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * PAD_SIDE, (event.clientY - box.top) / box.height * PAD_SIDE];
  };
  let drawing = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (drawing !== null || event.button !== 0) return;
    drawing = event.pointerId;
    canvas.setPointerCapture(drawing);
    pen.lower(...place(event));
    onchange();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== drawing) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) pen.move(...place(each));
    onchange();
  });
  const end = (event) => {
    if (event.pointerId !== drawing) return;
    drawing = null;
    pen.lift();
    onchange();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
}
function drawWithKeys(canvas, pen, onchange, cursor, note) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const at = [PAD_SIDE / 2, PAD_SIDE / 2];
  let down = false;
  const showHint = () => {
    cursor.style.left = `${100 * at[0] / PAD_SIDE}%`;
    cursor.style.top = `${100 * at[1] / PAD_SIDE}%`;
    cursor.classList.toggle("gu-down", down);
    if (cursor.hidden) note.textContent = "Draw a digit: with a finger, a pen, the mouse or the keyboard.";
    else if (down) note.textContent = "The pen is down: arrow keys draw, Space lifts it.";
    else note.textContent = "The pen is up: arrow keys move it, Space lowers it.";
  };
  const setPen = (isDown) => {
    if (isDown && !down) pen.lower(...at);
    if (!isDown && down) pen.lift();
    if (isDown !== down) onchange();
    down = isDown;
  };
  const showCursor = (visible) => {
    if (!visible) setPen(false);
    cursor.hidden = !visible;
    showHint();
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== " " && !(event.key in arrows)) return;
    event.preventDefault();
    if (event.key === " ") {
      if (!event.repeat) setPen(!down);
    } else {
      arrows[event.key].forEach(
        (sign, axis) => at[axis] = Math.max(0, Math.min(PAD_SIDE, at[axis] + PEN_STEP * sign))
      );
      if (down) {
        pen.move(...at);
        onchange();
      }
    }
    showCursor(true);
  });
  canvas.addEventListener("focus", () => showCursor(canvas.matches(":focus-visible")));
  canvas.addEventListener("blur", () => showCursor(false));
  canvas.addEventListener("pointerdown", () => showCursor(false));
  showHint();
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

// gen_utils/page/widgets/reconstructions/index.js
function buildReconstructions(view) {
  const { model, graphs } = view;
  const sizes = model.get("sizes");
  const prepared = imageCanvas("Your drawing, prepared as MNIST was", 28, 28);
  const large = imageCanvas("", 28, 28);
  const caption = h("div", { class: "gu-caption" });
  const text = h("p", { class: "gu-hint", role: "status" });
  const cards = sizes.map(sizeCard);
  let codes = sizes.map((k) => new Float32Array(k));
  let [pictures, errors, pcaErrors] = [[], [], []];
  let blank = true;
  const look = { class: "gu-code", role: "img", "aria-label": "The code of the chosen size" };
  const bars = drawnCanvas(
    view,
    look,
    (context, width, height) => paintCode(context, width, height, { z: codes[model.get("index")], colour: model.get("colours").latent })
  );
  const showChosen = (began = performance.now()) => {
    const index = model.get("index");
    const k = sizes[index];
    size.set(index);
    cards.forEach((card, i) => card.element.classList.toggle("gu-chosen", i === index));
    large.element.ariaLabel = `What the autoencoder makes of its code of ${k} numbers`;
    large.paint(pictures[index]);
    caption.textContent = `decoded from K = ${k}`;
    const errorText = `K = ${k}: squared error a pixel ${errors[index].toFixed(3)}, PCA’s ${pcaErrors[index].toFixed(3)}.`;
    text.textContent = blank ? "Nothing is drawn." : errorText;
    bars.repaint();
    bars.element.dataset.code = JSON.stringify(Array.from(codes[index]));
    bars.element.dataset.ms = performance.now() - began;
  };
  model.on("change:index", () => showChosen());
  const draw = latest(async () => {
    const began = performance.now();
    const { x } = await graphs.run("prepare", { ink: pad.ink() });
    const found = [];
    for (const k of sizes) found.push(await graphs.run(`autoencoder${k}`, { x }));
    const pca = await graphs.run("pca", { x });
    blank = isBlank(x.data);
    codes = found.map(({ z }) => z.data);
    pictures = found.map(({ x_hat }) => x_hat.data);
    errors = found.map(({ error }) => error.data[0]);
    pcaErrors = Array.from(pca.error.data);
    prepared.paint(x.data);
    cards.forEach((card, i) => {
      card.autoencoder.paint(pictures[i], errors[i]);
      card.pca.paint(pca.x_hat.data.subarray(784 * i, 784 * (i + 1)), pcaErrors[i]);
    });
    showChosen(began);
  });
  const set = setter(model);
  const pad = drawingPad({ label: "Drawing pad", examples: imageBytes(model.get("examples")), onchange: draw });
  model.on("change:example", () => pad.showExample(model.get("example")));
  const size = slider({
    label: "Numbers in the code",
    symbol: "<i>K</i>",
    format: (i) => sizes[i],
    min: 0,
    max: sizes.length - 1,
    step: 1,
    value: model.get("index"),
    oninput: (index) => set({ index })
  });
  const figure = (image, name) => h("div", {}, image.element, name);
  const element = h(
    "div",
    { class: "gu-columns" },
    pad.element,
    h(
      "div",
      { class: "gu-pad" },
      h(
        "div",
        { class: "gu-pair" },
        figure(prepared, h("div", { class: "gu-caption" }, "as the encoder sees it")),
        figure(large, caption)
      ),
      size.element,
      bars.element,
      text
    ),
    sizeTable(cards)
  );
  return { element, first: () => pad.showExample(model.get("example")) };
}
function sizeCard(k) {
  const picture = (name) => {
    const image = imageCanvas(`${name}, K = ${k}`, 28, 28);
    const error = h("span", {}, "0.000");
    const paint = (values, value) => {
      image.paint(values);
      error.textContent = value.toFixed(3);
    };
    return { nodes: [image.element, error], paint };
  };
  const [autoencoder, pca] = [picture("Autoencoder"), picture("PCA")];
  const element = h("div", { class: "gu-size" }, h("span", {}, `K = ${k}`), ...autoencoder.nodes, ...pca.nodes);
  return { element, autoencoder, pca };
}
function sizeTable(cards) {
  const names = () => h(
    "div",
    { class: "gu-size gu-methods", "aria-hidden": "true" },
    "",
    h("span", {}, "autoencoder"),
    h("span", {}, "PCA")
  );
  const nodes = cards.flatMap((card, i) => i % 2 === 0 ? [names(), card.element] : [card.element]);
  const style = `--gu-count: ${cards.length}`;
  return h(
    "div",
    { class: "gu-wide gu-sizes-around" },
    h(
      "div",
      { class: "gu-sizes", style, role: "group", "aria-label": "Every size, with its squared error a pixel" },
      ...nodes
    ),
    h("div", { class: "gu-caption" }, "Below each picture its squared error a pixel.")
  );
}
function paintCode(context, width, height, { z, colour }) {
  const largest = Math.max(0.1, ...z.map(Math.abs));
  const power = 10 ** Math.floor(Math.log10(largest));
  const limit = [1, 2, 3, 5, 10].map((m) => m * power).find((s) => s >= largest);
  const number = (v) => String(Number(v.toPrecision(1))).replace("-", "−");
  const units = z.length <= 8 ? Array.from(z, (_, i) => [i + 1, String(i + 1)]) : roundTicks([1, z.length]);
  const { toX, toY } = paintChart(context, width, height, {
    x: { range: [0.4, z.length + 0.6], ticks: units, name: "place in the code" },
    y: { range: [-limit, limit], ticks: [-limit, 0, limit].map((v) => [v, number(v)]), name: "z" }
  });
  context.fillRect(toX(0.4), toY(0), toX(z.length + 0.6) - toX(0.4), 1);
  context.fillStyle = colour;
  const bar = Math.min(36, 0.8 * (toX(2) - toX(1)));
  z.forEach(
    (value, i) => context.fillRect(toX(i + 1) - bar / 2, Math.min(toY(0), toY(value)), bar, Math.abs(toY(value) - toY(0)))
  );
}
var reconstructions_default = widget(buildReconstructions);
export {
  reconstructions_default as default
};
