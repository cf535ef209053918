// Graphs: ONNX files run by onnxruntime-web, or by the kernel where onnxruntime-web can't be loaded.

import { forgetFile, loadFile, loadModule } from "./files.js";
import { lasting } from "./line.js";

// The published page serves graphs and onnxruntime-web itself; Sphinx writes the path to its root on <html>.
const contentRoot = document.documentElement.dataset.content_root;
const isPublished = contentRoot !== undefined;
const siteFile = (path) => new URL(`${contentRoot}_static/${path}`, document.baseURI).href;
const CDN_TIMEOUT_MS = 8000;
const [MODULE_BYTES, WASM_BYTES] = [73_054, 14_239_897]; // of onnxruntime-web, which may travel compressed
const KERNEL_QUIET_MS = 8000; // without an answer: the reader is told
const SILENT_KERNEL =
  "The kernel does not answer. If it is busy, this goes on when it is free; if it has stopped, start it and run this cell again.";
const KERNEL_LATE_MS = 30_000; // without an answer: it is asked again, in case the question was lost

// One copy of onnxruntime-web for all widgets of a page, although each widget is a module of its own; and `inTurn(call)`,
// since onnxruntime-web fails where one of its calls begins before another has ended.
const shared = Symbol.for("gen_utils.onnxruntime");

function loadRuntime(cdn) {
  globalThis[shared] ??= startRuntime(cdn).catch((error) => {
    delete globalThis[shared]; // the next attempt may succeed
    throw error;
  });
  return globalThis[shared];
}

async function startRuntime(cdn) {
  checkWebAssembly();
  const [source, patience] = isPublished ? [siteFile("vendor/ort/"), {}] : [cdn, { stalled: CDN_TIMEOUT_MS }];
  const [module, wasm] = ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"].map((name) => source + name);
  const [ort, wasmBinary] = await Promise.all([
    loadModule(module, { size: MODULE_BYTES, ...patience }),
    loadFile(wasm, { size: WASM_BYTES, ...patience }),
  ]);
  forgetFile(wasm); // onnxruntime-web keeps it
  ort.env.wasm.numThreads = 1; // threads need response headers that static hosts don't send
  ort.env.wasm.wasmBinary = wasmBinary;
  let last = Promise.resolve();
  const inTurn = (call) => {
    const result = last.then(call);
    last = result.catch(() => {});
    return result;
  };
  // Where it failed to start, the same copy never starts again.
  const forget = () => {
    delete globalThis[shared];
    forgetFile(module);
  };
  return { ort, inTurn, forget };
}

// Say what is wrong before 14 MB are loaded in vain.
function checkWebAssembly() {
  if (!globalThis.WebAssembly) {
    throw lasting(
      "this browser has no WebAssembly, or it is switched off; a current Firefox, Chrome, Edge or Safari has it",
    );
  }
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // the empty one
  } catch {
    throw lasting("this site's security policy forbids WebAssembly; who runs the site can allow 'wasm-unsafe-eval'");
  }
}

// Call a command of the Python class. Its errors come back as words. A kernel that is busy answers in the end; one that
// is gone does not, and nothing tells a page which of the two it is.
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

// The files of the published page carry the start of their digest in their address: no cache keeps an old one.
const siteBytes = ({ file, sha256 }) => loadFile(siteFile(`models/${file}?${sha256.slice(0, 8)}`), { sha256 });

async function runInKernel(view, graph, feeds) {
  const inputs = Object.entries(feeds).map(([name, { dims }]) => ({ name, dims }));
  const data = Object.values(feeds).map((feed) => feed.data);
  const [{ outputs }, buffers] = await askKernel(view, "run_graph", { graph, inputs }, data);
  return Object.fromEntries(outputs.map(({ name, dims }, i) => [name, { dims, data: new Float32Array(buffers[i]) }]));
}

// The widget's graphs: `open(names)` loads some of them; run(name, {input: {data: Float32Array, dims}}) resolves to
// {output: {data, dims}}, and loads the graph first if it is not open. The view's `invoke` calls a command of the Python
// class.
export async function graphRunner(view) {
  const { model, invoke, signal, onEnd, during } = view;
  if (!isPublished && !invoke) throw lasting("this page has no kernel: run its cell, or open the published course");
  let runtime;
  try {
    runtime = await loadRuntime(model.get("cdn"));
  } catch (error) {
    if (isPublished) throw error;
    const run = (name, feeds) => during(runInKernel(view, name, feeds));
    return { backend: "kernel", open: async () => {}, run };
  }

  const { ort, inTurn, forget } = runtime;
  const opening = {}; // sessions by name, as promises,
  const sessions = {}; // and those that are open
  onEnd(() => {
    for (const session of Object.values(opening)) {
      session.then((opened) => inTurn(() => opened.release())).catch(() => {}); // those that failed need no release
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
