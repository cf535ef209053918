// Files, loaded once for all widgets of a page: how far each has come is known, and one that stalls is asked for again.

const QUIET_MS = 8000; // without a byte: the reader is told
const STALLED_MS = 30_000; // without a byte: given up
const MOST_BYTES = 64e6; // several times the largest file: what is longer must not fill a phone

const shared = Symbol.for("gen_utils.files");
globalThis[shared] ??= new Map();
const files = globalThis[shared]; // by address
const failed = new Set(); // addresses that are asked for past the browser's cache
const forbidden = new Map(); // addresses that the site's policy forbids, and the directive that does

// The bytes of a file. `size` is known where the file travels compressed; its digest is checked if `sha256` is given.
export function loadFile(url, { size = 0, sha256, stalled = STALLED_MS } = {}) {
  return tracked(url, size, (file) => download(url, file, sha256, stalled)).result;
}

// A module. A browser may remember that its file failed, so the next time it is asked for by another address.
export function loadModule(url, { size, stalled = STALLED_MS }) {
  const address = failed.has(url) ? `${url}?${Date.now()}` : url;
  const late = new Promise((_, reject) => setTimeout(() => reject(silence(stalled)), stalled));
  const loading = () => Promise.race([import(address), late]).catch((error) => explain(address, error));
  return tracked(url, size, loading).result;
}

// Ask for a file anew the next time.
export function forgetFile(url) {
  failed.add(url);
  files.delete(url);
}

// Note how far a file has come, for as long as it is on its way; a failed one is forgotten, so that the next attempt
// may succeed.
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
  }, 1000);
  const options = { signal: giveUp.signal, cache: failed.has(url) ? "reload" : "default" };
  if (sha256 && !crypto.subtle) {
    // On an insecure address the browser alone can tell digests, and it hands nothing over before the end.
    options.integrity = `sha256-${btoa(String.fromCharCode(...fromHex(sha256)))}`;
    file.moved = Number.POSITIVE_INFINITY;
  }
  try {
    const response = await fetch(url, options);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    if (!response.headers.get("content-encoding"))
      file.total = Number(response.headers.get("content-length")) || file.total;
    const bytes = await readAll(response.body, file);
    if (sha256 && crypto.subtle && !(await isIntact(bytes, sha256))) {
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

const fromHex = (text) => text.match(/../g).map((byte) => Number.parseInt(byte, 16));

async function isIntact(bytes, sha256) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return fromHex(sha256).every((byte, i) => byte === digest[i]);
}

const silence = (milliseconds) => new Error(`nothing came for ${milliseconds / 1000} seconds`);

// Say in words why a file did not come. Browsers tell pages little of it: "Failed to fetch".
async function explain(url, error) {
  await new Promise((resolve) => setTimeout(resolve)); // what a policy forbids is reported a moment later
  const directive = forbidden.get(url);
  let reason = error.message;
  if (directive) reason = `this site's security policy (${directive}) forbids it`;
  else if (!navigator.onLine) reason = "this device is offline";
  else if (error instanceof TypeError) reason = "the connection failed, or something on the way blocks it";
  throw new Error(`${new URL(url).pathname.split("/").pop()} could not be loaded: ${reason}`);
}

// How far all that is on its way has come, in words; nothing if nothing is.
export function progress() {
  const coming = [...files.values()].filter(({ done }) => !done);
  if (!coming.length) return "";
  const [loaded, total] = ["loaded", "total"].map((key) => coming.reduce((sum, file) => sum + file[key], 0));
  const megabytes = (n) => (n / 1e6).toFixed(1);
  const amount = total < loaded ? megabytes(loaded) : `${megabytes(loaded)} of ${megabytes(total)}`;
  const text = `Loading the model into this page: ${amount} MB.`;
  const quiet = performance.now() - Math.max(...coming.map(({ moved }) => moved)) > QUIET_MS;
  return quiet
    ? `${text} Nothing has come for some seconds: the connection is slow, or lost. It goes on by itself.`
    : text;
}
