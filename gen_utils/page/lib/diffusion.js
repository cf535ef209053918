// What the widgets that sample from a diffusion model share. A graph takes each step, schedule and guidance included.

const IMAGE = [1, 1, 28, 28];
const standardNoise = (noise) => ({ data: noise.normal(784), dims: IMAGE });

// Take the steps from number `start` down to 1, of `steps` in all, and yield what each shows: the state that it began
// with and the network's guess of x₀ there, as pictures, and the state's time.
async function* descent(graphs, x, noise, { start, ...numbers }) {
  const given = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, oneNumber(value)]));
  for (let i = start; i > 0; i--) {
    const found = await graphs.run("step", { x, noise: standardNoise(noise), i: oneNumber(i), ...given });
    x = found.x_next;
    yield { picture: found.picture.data, guess: found.guess.data, time: found.time.data[0] };
  }
}

const GROWTH_MS = 350; // for all steps, if they can be computed faster: so that one sees the picture grow
const LOOK_MS = 40; // between two looks at it, if not

// Says after each step when the page shall have a frame to show what there is so far. Readers who asked for less
// motion see the end alone.
function growth(steps) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const began = performance.now();
  let [done, shown] = [0, began];
  return async (show) => {
    done += 1;
    const now = performance.now();
    const early = now - began < (GROWTH_MS * done) / steps;
    if (calm || (!early && now - shown < LOOK_MS)) return;
    show();
    await nextFrame();
    shown = performance.now();
  };
}

// A button for every label and one for none; the trait `label` follows: a label's number, or theirs for none.
function labelButtons(model) {
  const classes = model.get("classes");
  const set = setter(model);
  const buttons = [...classes, "no label"].map((name, label) =>
    h("button", { type: "button", class: "gu-button", "aria-label": label < classes.length ? `Label ${name}` : "No label", onclick: () => set({ label }) }, name),
  );
  const show = () => buttons.forEach((each, label) => each.setAttribute("aria-pressed", label === model.get("label")));
  const look = classes.some((name) => name.length > 2) ? "gu-labels gu-named" : "gu-labels";
  show();
  model.on("change:label", show);
  return h("div", { class: "gu-labels-around" }, h("div", { class: look, role: "group", "aria-label": "Label" }, ...buttons));
}
