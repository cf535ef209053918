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

// gen_utils/page/lib/unit_sliders.js
function unitSliders(model, draw) {
  const rates = model.get("rates");
  const unused = model.get("unused");
  const unit = model.get("unit");
  const z = [...model.get("z")];
  const set = setter(model);
  const changed = () => {
    set({ z: [...z] });
    return draw([...z]);
  };
  const order = rates.map((_, k) => k).sort((a, b) => rates[b] - rates[a]);
  const sliders = order.map(
    (k) => slider({
      label: `Latent unit ${k + 1}`,
      symbol: `<i>z</i><sub>${k + 1}</sub>`,
      min: -3,
      max: 3,
      step: 0.1,
      value: z[k],
      unused: rates[k] < unused,
      note: `${rates[k] < unused ? "unused: " : ""}${rates[k].toFixed(2)} ${unit}`,
      oninput: (value) => {
        z[k] = value;
        changed();
      }
    })
  );
  const assign = (values) => {
    for (const [k, value] of values.entries()) z[k] = value;
    for (const [i, k] of order.entries()) sliders[i].set(z[k]);
    return changed();
  };
  const prior = button(unit === "nats" ? "Draw z from the prior" : "Draw z from N(0, I)", () => {
    model.set("seed", model.get("seed") + 1);
    const draws = Array.from(new Noise(model.get("seed")).normal(z.length));
    assign(draws.map((v) => Math.round(10 * Math.max(-3, Math.min(3, v))) / 10));
  });
  const reset = button("Reset", () => assign(z.map(() => 0)));
  model.on("change:z", () => {
    const values = model.get("z");
    if (values.some((value, k) => value !== z[k])) assign(values);
  });
  return {
    sliders: h("div", { class: "gu-sliders" }, ...sliders.map(({ element }) => element)),
    buttons: h("div", { class: "gu-buttons" }, prior, reset),
    first: () => draw([...z])
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

// gen_utils/page/widgets/latent_sliders/index.js
function buildSliders(view) {
  const { model, graphs } = view;
  const image = imageCanvas("What the decoder makes of the sliders", 28, 28);
  const draw = latest(async (z) => {
    const began = performance.now();
    const { x } = await graphs.run("decoder", { z: { data: Float32Array.from(z), dims: [1, z.length] } });
    image.paint(x.data);
    image.element.dataset.ms = performance.now() - began;
    image.element.dataset.z = JSON.stringify(z);
  });
  const { sliders, buttons, first } = unitSliders(model, draw);
  const element = h(
    "div",
    { class: "gu-columns" },
    h("div", { class: "gu-picture" }, image.element, buttons),
    sliders
  );
  return { element, first };
}
var latent_sliders_default = widget(buildSliders);
export {
  latent_sliders_default as default
};
