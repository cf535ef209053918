// Graphs: ONNX files run by onnxruntime-web, or by the kernel where onnxruntime-web can't be loaded.

// The published page serves graphs and onnxruntime-web itself; Sphinx writes the path to its root on <html>.
const contentRoot = document.documentElement.dataset.content_root;
const isPublished = contentRoot !== undefined;
const siteFile = (path) => new URL(`${contentRoot}_static/${path}`, document.baseURI).href;
const CDN_TIMEOUT_MS = 8000;
const KERNEL_TIMEOUT_MS = 30_000;

// One copy of onnxruntime-web for all widgets of a page, although each widget is a module of its own; and `inTurn(call)`,
// since onnxruntime-web fails where one of its calls begins before another has ended.
function loadRuntime(cdn) {
  const shared = Symbol.for("gen_utils.onnxruntime");
  globalThis[shared] ??= (async () => {
    const source = isPublished ? siteFile("vendor/ort/") : cdn;
    const ort = await within(CDN_TIMEOUT_MS, import(`${source}ort.wasm.bundle.min.mjs`));
    ort.env.wasm.numThreads = 1; // threads need response headers that static hosts don't send
    if (!isPublished) ort.env.wasm.wasmPaths = cdn;
    let last = Promise.resolve();
    const inTurn = (call) => {
      const result = last.then(call);
      last = result.catch(() => {});
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

// The files of the published page, by address: widgets of one page share them, and each is loaded once.
function siteBytes({ file, sha256 }) {
  const shared = Symbol.for("gen_utils.files");
  globalThis[shared] ??= new Map();
  const files = globalThis[shared];
  const url = siteFile(`models/${file}?${sha256.slice(0, 8)}`);
  if (!files.has(url)) {
    const loading = download(url, sha256);
    loading.catch(() => files.delete(url)); // the next attempt may succeed
    files.set(url, loading);
  }
  return files.get(url);
}

// `integrity` makes the browser refuse a file whose digest is not the one that the notebook recorded.
async function download(url, sha256) {
  const digest = btoa(String.fromCharCode(...sha256.match(/../g).map((byte) => Number.parseInt(byte, 16))));
  const response = await fetch(url, { integrity: `sha256-${digest}` });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

// Call a command of the Python class. Its errors come back as words.
async function askKernel(invoke, signal, command, message, buffers = []) {
  const late = AbortSignal.timeout(KERNEL_TIMEOUT_MS);
  try {
    const [answer, found] = await invoke(command, message, { buffers, signal: AbortSignal.any([signal, late]) });
    if (answer.error) throw new Error(answer.error);
    return [answer, found.map((view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength))];
  } catch (error) {
    if (!late.aborted) throw error;
    const seconds = KERNEL_TIMEOUT_MS / 1000;
    throw new Error(`the kernel did not answer within ${seconds} seconds; when it is free, run this cell again`);
  }
}

async function runInKernel(invoke, signal, graph, feeds) {
  const inputs = Object.entries(feeds).map(([name, { dims }]) => ({ name, dims }));
  const data = Object.values(feeds).map((feed) => feed.data);
  const [{ outputs }, buffers] = await askKernel(invoke, signal, "run_graph", { graph, inputs }, data);
  return Object.fromEntries(outputs.map(({ name, dims }, i) => [name, { dims, data: new Float32Array(buffers[i]) }]));
}

// The widget's graphs: `open(names)` loads some of them; run(name, {input: {data: Float32Array, dims}}) resolves to
// {output: {data, dims}}, and loads the graph first if it is not open. `invoke` calls a command of the Python class.
export async function graphRunner({ model, invoke, signal, onEnd, during }) {
  let runtime;
  try {
    runtime = await loadRuntime(model.get("cdn"));
  } catch (error) {
    if (isPublished) throw error;
    const run = (name, feeds) => during(runInKernel(invoke, signal, name, feeds));
    return { backend: "kernel", open: async () => {}, run };
  }

  const { ort, inTurn } = runtime;
  const opening = {}; // sessions by name, as promises,
  const sessions = {}; // and those that are open
  onEnd(() => {
    for (const session of Object.values(opening)) {
      session.then((opened) => inTurn(() => opened.release())).catch(() => {}); // those that failed need no release
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
      delete opening[name]; // the next attempt may succeed
      throw error;
    }
  };
  const open = (names) => during(Promise.all(names.map(load)));
  const run = async (name, feeds) => {
    if (!sessions[name]) await open([name]);
    const tensors = Object.entries(feeds).map(([key, { data, dims }]) => [
      key,
      new ort.Tensor("float32", data, dims),
    ]);
    return during(inTurn(() => signal.aborted || sessions[name].run(Object.fromEntries(tensors))));
  };
  return { backend: "browser", open, run };
}

// A number as graphs take it.
export const scalar = (value) => ({ data: Float32Array.of(value), dims: [1] });
