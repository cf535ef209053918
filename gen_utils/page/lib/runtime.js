// What every widget of the course is made of. Python puts this file before the widget's own, so that one
// module travels in the notebook. It holds no model mathematics: graphs exported from PyTorch do all of it.

// ---- Graphs: ONNX files run by onnxruntime-web, or by the kernel where the runtime can't be had ----------

// The published page serves graphs and runtime itself; Sphinx writes the way to its root on <html>.
const contentRoot = document.documentElement.dataset.content_root;
const siteFile = (path) => new URL(`${contentRoot}_static/${path}`, document.baseURI).href;
const CDN_PATIENCE_MS = 8000;

// One runtime for all widgets of a page, although each widget is a module of its own.
function loadRuntime(cdn) {
  const shared = Symbol.for("gen_utils.onnxruntime");
  globalThis[shared] ??= (async () => {
    const source = contentRoot === undefined ? cdn : siteFile("vendor/ort/");
    const ort = await within(CDN_PATIENCE_MS, import(`${source}ort.wasm.bundle.min.mjs`));
    ort.env.wasm.numThreads = 1; // threads need response headers that static hosts don't send
    if (contentRoot === undefined) ort.env.wasm.wasmPaths = cdn;
    return ort;
  })();
  return globalThis[shared];
}

function within(milliseconds, promise) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("timed out")), milliseconds));
  return Promise.race([promise, late]);
}

// `integrity` makes the browser itself refuse a file whose digest is not the one that the notebook recorded.
async function siteBytes({ file, sha256 }) {
  const digest = btoa(String.fromCharCode(...sha256.match(/../g).map((byte) => parseInt(byte, 16))));
  const response = await fetch(siteFile(`models/${file}?${sha256.slice(0, 8)}`), { integrity: `sha256-${digest}` });
  if (!response.ok) throw new Error(`${file}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

// A question to the Python class, which answers with the same id.
function askKernel(model, question, buffers = []) {
  const id = `${Date.now()}-${Math.random()}`;
  const answer = new Promise((resolve, reject) => {
    model.on("msg:custom", function listen(message, answerBuffers) {
      if (message.id !== id) return;
      model.off("msg:custom", listen);
      if (message.error) reject(new Error(message.error));
      else resolve({ ...message, buffers: answerBuffers });
    });
  });
  model.send({ ...question, id }, undefined, buffers);
  return answer;
}

// Open the widget's graphs. Returns run(name, {input: {data: Float32Array, dims}}), which resolves to
// {output: {data, dims}}.
async function openGraphs(model) {
  const graphs = model.get("graphs");
  let ort;
  try {
    ort = await loadRuntime(model.get("cdn"));
  } catch (error) {
    if (contentRoot !== undefined) throw error;
    return { backend: "kernel", run: (name, feeds) => runInKernel(model, name, feeds) };
  }
  const bytes = async ([name, graph]) =>
    contentRoot === undefined
      ? new Uint8Array((await askKernel(model, { ask: "bytes", graph: name })).buffers[0].buffer)
      : siteBytes(graph);
  const files = await Promise.all(Object.entries(graphs).map(bytes)); // all on their way at once
  const sessions = {};
  for (const [i, name] of Object.keys(graphs).entries()) sessions[name] = await ort.InferenceSession.create(files[i]);
  const run = async (name, feeds) => {
    const tensors = Object.entries(feeds).map(([key, { data, dims }]) => [key, new ort.Tensor("float32", data, dims)]);
    return sessions[name].run(Object.fromEntries(tensors));
  };
  return { backend: "browser", run };
}

async function runInKernel(model, graph, feeds) {
  const inputs = Object.entries(feeds).map(([name, { dims }]) => ({ name, dims }));
  const answer = await askKernel(model, { ask: "run", graph, inputs }, Object.values(feeds).map(({ data }) => data));
  const outputs = answer.outputs.map(({ name, dims }, i) => {
    const view = answer.buffers[i];
    return [name, { dims, data: new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) }];
  });
  return Object.fromEntries(outputs);
}

// A number as graphs take it.
const oneNumber = (value) => ({ data: Float32Array.of(value), dims: [1] });

// Wrap an asynchronous function so that only one call runs at a time and, of the calls that come meanwhile,
// only the last: a dragged slider never queues up work.
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

// Make set({ name: value, … }), which changes traits here and in Python.
function setter(model) {
  return (values) => {
    Object.entries(values).forEach(([name, value]) => model.set(name, value));
    model.save_changes();
  };
}

// ---- Noise: xoshiro128** and Marsaglia's polar method; gen_utils/page/noise.py is its twin, bit for bit ----

class Noise {
  constructor(seed) {
    let state = seed >>> 0; // splitmix32 spreads one seed over four words
    this.words = Uint32Array.from({ length: 4 }, () => {
      state = (state + 0x9e3779b9) >>> 0;
      let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      return word ^ (word >>> 15);
    });
  }

  // Uniform in (0, 1), 32 bits.
  uniform() {
    const s = this.words;
    const rotated = Math.imul(s[1], 5);
    const result = Math.imul((rotated << 7) | (rotated >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
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
      const scale = Math.sqrt((-2 * Noise.log(s)) / s);
      out[i++] = a * scale;
      if (i < n) out[i++] = b * scale;
    }
    return out;
  }

  // ln x for 0 < x < 1 by IEEE addition, multiplication and division alone: Math.log differs between browsers.
  static log(x) {
    let doublings = 0;
    for (; x < 0.7; doublings++) x *= 2;
    const t = (x - 1) / (x + 1); // ln x = 2 (t + t³/3 + t⁵/5 + …)
    let sum = 0;
    for (let k = 23; k > 0; k -= 2) sum = sum * t * t + 1 / k;
    return 2 * t * sum - doublings * 0.6931471805599453;
  }
}

// ---- Pieces: elements, sliders, canvases ----------------------------------------------------------------

// Make an element: h("button", {onclick: f, "aria-label": "…"}, child, "text").
function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// A button. It is as wide as the longest of its labels, if it has `others` from time to time.
const button = (label, onclick, ...others) =>
  h("button", { type: "button", class: "gu-button", "data-labels": others.length > 0 && [label, ...others].join("\n"), onclick }, label);

// A box around text that changes, as high as the longest of `texts` needs: nothing below it moves.
const reserve = (node, ...texts) => {
  const around = h("div", { class: `gu-reserve ${node.className}` }, node, ...texts.map((text) => h("div", { "aria-hidden": "true", "data-text": text })));
  node.removeAttribute("class");
  return around;
};

// A slider with its label, its value and, below, a note. `symbol` is HTML, such as z<sub>3</sub>; so is `end`, the mark
// of the other end of one that plays.
function slider({ label, symbol, end, min, max, step, value, note = "", unused = false, format = (v) => v.toFixed(1), oninput }) {
  const input = h("input", { type: "range", min, max, step, "aria-label": label });
  const output = h("output", { class: "gu-value" });
  const mark = (html) => Object.assign(h("span", { "aria-hidden": "true" }), { innerHTML: html });
  const element = h("label", { class: unused ? "gu-slider gu-unused" : "gu-slider" }, mark(symbol), input, output);
  if (note) element.append(h("small", { class: "gu-note" }, note));
  if (end) {
    element.append(mark(end));
    output.ariaLive = "off"; // what plays shall not be read aloud
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

const nextFrame = () => new Promise(requestAnimationFrame);
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f"); // digits in threes, with thin spaces
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// Grey values 0…1 as a picture, dark ink on light paper in the page's light and dark theme alike.
function inkImage(values, width, height) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.fill(255 * (1 - values[i]), 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

// A canvas for one grey image, or for several side by side.
function imageCanvas(label, width, height, count = 1) {
  const element = h("canvas", { class: "gu-image", role: "img", "aria-label": label, width: count * width, height });
  const context = element.getContext("2d");
  const size = width * height;
  const paint = (values) => {
    for (let i = 0; i < count; i++) {
      context.putImageData(inkImage(values.subarray(i * size, (i + 1) * size), width, height), i * width, 0);
    }
  };
  return { element, paint };
}

// Images that Python wrote as text: a byte a pixel, in base64.
function imageBytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// A canvas as large as its style says, in the colour of the text: `draw(context, width, height)` paints it, in CSS
// pixels, again whenever its size or the theme changes.
function drawnCanvas(properties, draw) {
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
  new ResizeObserver(repaint).observe(element);
  onThemeChange(repaint);
  return { element, repaint };
}

// A square canvas of a plane from −limit to limit: `draw(context, toPixels)` paints what lies on it, in CSS pixels.
function planeCanvas(properties, limit, draw) {
  return drawnCanvas(properties, (context, side) =>
    draw(context, ([x, y]) => [((x + limit) / (2 * limit)) * side, ((limit - y) / (2 * limit)) * side]),
  );
}

// The plane's two axes, faint.
function paintAxes(context, toPixels, limit) {
  context.globalAlpha = 0.4;
  context.lineWidth = 1;
  for (const ends of [[[-limit, 0], [limit, 0]], [[0, -limit], [0, limit]]]) {
    context.beginPath();
    ends.forEach((end) => context.lineTo(...toPixels(end)));
    context.stroke();
  }
  context.globalAlpha = 1;
}

// Which points of the plane, two numbers each, lie in each of so many directions.
function byDirection(points, directions) {
  const members = Array.from({ length: directions }, () => []);
  for (let i = 0; i < points.length / 2; i++) {
    const turn = Math.atan2(points[2 * i + 1], points[2 * i]) / (2 * Math.PI) + 1;
    members[Math.floor(turn * directions) % directions].push(i);
  }
  return members;
}

// The codes of labelled data, as the digits of their labels, and the two axes.
function paintCodes(context, toPixels, { codes, labels, palette, limit }) {
  context.font = "600 10px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const text = context.fillStyle; // mixed in, or some colours are too light for letters this small, or too dark
  const inks = palette.map((colour) => `color-mix(in srgb, ${colour} 70%, ${text})`);
  codes.forEach((code, i) => {
    context.fillStyle = inks[labels[i]];
    context.fillText(labels[i], ...toPixels(code));
  });
  paintAxes(context, toPixels, limit);
}

// A plane that a finger, a mouse or the arrow keys move a point on. `draw` paints what lies under the point;
// `onmove(x, y)` hears of each move.
function plane({ label, limit, step, colour, draw, onmove }) {
  const point = [0, 0];
  const look = { class: "gu-plane", role: "application", "aria-roledescription": "plane", "aria-label": label, tabindex: 0 };
  const { element, repaint } = planeCanvas(look, limit, (context, toPixels) => {
    draw(context, toPixels);
    context.lineWidth = 3;
    context.strokeStyle = colour;
    context.beginPath();
    context.arc(...toPixels(point), 9, 0, 2 * Math.PI);
    context.stroke();
  });
  const set = (x, y) => {
    point[0] = x;
    point[1] = y;
    repaint();
  };
  // To the two digits that the sliders show, so that what is shown is what was decoded.
  const clamp = (v) => Math.round(100 * Math.max(-limit, Math.min(limit, v))) / 100;
  const move = (x, y) => {
    set(clamp(x), clamp(y));
    onmove(...point);
  };
  const follow = (event) => {
    const box = element.getBoundingClientRect();
    move(((event.clientX - box.left) / box.width) * 2 * limit - limit, limit - ((event.clientY - box.top) / box.height) * 2 * limit);
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    follow(event);
  });
  element.addEventListener("pointermove", (event) => element.hasPointerCapture(event.pointerId) && follow(event));
  const arrows = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  element.addEventListener("keydown", (event) => {
    if (!(event.key in arrows)) return;
    event.preventDefault();
    move(point[0] + arrows[event.key][0], point[1] + arrows[event.key][1]);
  });
  return { element, set };
}

function onThemeChange(repaint) {
  new MutationObserver(repaint).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
}

// ---- Coming alive ---------------------------------------------------------------------------------------

// Show `build(graphs)` in `el` once the widget is near the reader and its graphs are open, and hide the poster
// that stood in for it. Until then, and if it fails, the poster and one line of text are there.
function comeAlive({ model, el, build }) {
  const status = h("p", { class: "gu-status", role: "status" }, "Loading the model into this page…");
  el.classList.add("gu-widget");
  // JupyterLab would take the arrow keys, and D D deletes a cell, wherever the focus is: it spares what says so itself.
  el.addEventListener("focusin", ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true"));
  el.style.setProperty("--gu-accent", model.get("colours").latent);
  el.append(status);
  const start = async () => {
    try {
      const graphs = await openGraphs(model);
      const { element, first } = build(graphs);
      await first();
      status.replaceWith(element);
      posters(el).forEach((poster) => poster.classList.add("gu-poster-hidden"));
      el.dataset.backend = graphs.backend;
      el.classList.add("gu-live");
    } catch (error) {
      console.error(error);
      status.textContent = `This widget could not start: ${error.message}. The picture above shows what it would.`;
    }
  };
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    start();
  }, { rootMargin: "300px" });
  observer.observe(el);
}

// The poster is an output of the same cell, before the widget: in a page, in Jupyter, in VS Code.
function posters(el) {
  const cell = el.closest(".cell_output, .jp-OutputArea, .output_container, .output") ?? el.parentElement;
  return [...cell.querySelectorAll("img")].filter((image) => !el.contains(image)).map((image) => image.closest(".output, .jp-OutputArea-child") ?? image);
}
