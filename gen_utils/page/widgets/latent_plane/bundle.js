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
function pointPlane(view, { label, limit, step, colour, draw, onmove }) {
  const point = [0, 0];
  const look = {
    class: "gu-plane",
    role: "application",
    "aria-roledescription": "plane",
    "aria-label": label,
    tabindex: 0
  };
  const { element, repaint } = planeCanvas(view, look, limit, (context, toPixels) => {
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
  const clamp = (v) => Math.round(100 * Math.max(-limit, Math.min(limit, v))) / 100;
  const move = ([x, y]) => {
    set(clamp(x), clamp(y));
    onmove(...point);
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    move(placeOnPlane(event, limit));
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) move(placeOnPlane(event, limit));
  });
  const arrows = arrowMoves(step);
  element.addEventListener("keydown", (event) => {
    if (!(event.key in arrows)) return;
    event.preventDefault();
    move(point.map((v, i) => v + arrows[event.key][i]));
  });
  return { element, set };
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
function paintCodes(context, toPixels, { codes, labels, palette, limit }) {
  context.font = "600 10px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const text = context.fillStyle;
  const inks = palette.map((colour) => `color-mix(in srgb, ${colour} 70%, ${text})`);
  codes.forEach((code, i) => {
    context.fillStyle = inks[labels[i]];
    context.fillText(labels[i], ...toPixels(code));
  });
  paintAxes(context, toPixels, limit);
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

// gen_utils/page/widgets/latent_plane/index.js
function buildPlane(view) {
  const { model, graphs } = view;
  const [codes, labels, palette, limit] = ["codes", "labels", "palette", "limit"].map((name) => model.get(name));
  const step = 0.1;
  const image = imageCanvas("What the decoder makes of the point", 28, 28);
  const draw = latest(async () => {
    const began = performance.now();
    const z = [model.get("x"), model.get("y")];
    const { x } = await graphs.run("decoder", { z: { data: Float32Array.from(z), dims: [1, 2] } });
    image.paint(x.data);
    image.element.dataset.ms = performance.now() - began;
    image.element.dataset.z = JSON.stringify(z);
  });
  const set = setter(model);
  const pad = pointPlane(view, {
    label: "Latent plane: move the point with the arrow keys, the mouse or a finger",
    limit,
    step,
    colour: model.get("colours").latent,
    onmove: (x, y) => set({ x, y }),
    draw: (context, toPixels) => paintCodes(context, toPixels, { codes, labels, palette, limit })
  });
  const axes = [
    ["x", 1],
    ["y", 2]
  ].map(
    ([name, k]) => slider({
      label: `Latent unit ${k}`,
      symbol: `<i>z</i><sub>${k}</sub>`,
      min: -limit,
      max: limit,
      step,
      value: model.get(name),
      format: (v) => v.toFixed(2),
      oninput: (value) => set({ [name]: value })
    })
  );
  const follow = () => {
    pad.set(model.get("x"), model.get("y"));
    axes[0].set(model.get("x"));
    axes[1].set(model.get("y"));
    return draw();
  };
  model.on("change:x change:y", follow);
  const reset = button("Reset", () => set({ x: 0, y: 0 }));
  const element = h(
    "div",
    { class: "gu-columns" },
    h("div", { class: "gu-pad" }, pad.element),
    h(
      "div",
      { class: "gu-picture" },
      image.element,
      ...axes.map((axis) => axis.element),
      h("div", { class: "gu-buttons" }, reset)
    )
  );
  return { element, first: follow };
}
var latent_plane_default = widget(buildPlane);
export {
  latent_plane_default as default
};
