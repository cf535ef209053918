// What a view has started, and how all of it ends when the view is removed or its cell runs again.

// Returns `signal`, aborted by `end()`, and ways to start what ends with it.
export function lifetime() {
  const controller = new AbortController();
  const { signal } = controller;
  // Call `stop` at the end.
  const onEnd = (stop) => signal.addEventListener("abort", stop, { once: true });
  // Wait for a promise. After the end it never settles, so what awaits it doesn't go on.
  const during = (promise) =>
    new Promise((resolve, reject) => {
      promise.then(
        (value) => signal.aborted || resolve(value),
        (error) => signal.aborted || reject(error),
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

// Wrap an asynchronous function so that only one call runs at a time. Of the calls that come meanwhile, only the last
// is made: a dragged slider never queues up work.
export function latest(work) {
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
