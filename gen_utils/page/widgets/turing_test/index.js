// Two grids of images from two sources, side by side and unnamed: the reader says which is which, and scores.

import "./style.css";
import { button, h, reserve, setter } from "../../lib/elements.js";
import { inkImage } from "../../lib/images.js";
import { latest } from "../../lib/lifetime.js";
import { Noise } from "../../lib/noise.js";
import { widget } from "../../lib/widget.js";

const SHOWN = 16; // images on each side, in rows of 4
const PAUSE_MS = 40; // of computing before the page can paint and listen again

function buildTuringTest(view) {
  const { model, graphs } = view;
  const [sources, chances, colours] = ["sources", "chances", "colours"].map((name) => model.get(name));
  // A stored notebook sorts the keys of mappings, so their order says nothing: the real one first, then by name.
  const names = [
    "real",
    ...Object.keys(sources)
      .filter((name) => name !== "real")
      .sort(),
  ];
  const settings = ["sought", "other", "pixels", "seed"];
  let round; // what is shown: {sides: [{name, caption, images}, …], sought, other, kind, revealed}
  let isOpen = false; // for a guess
  let drawing; // of the sides, under way or done
  let changes = 0; // of the settings: what was begun before a change stops

  const chosen = () => Object.fromEntries(settings.map((name) => [name, model.get(name)]));
  const kindOf = ({ sought, other, pixels }) =>
    pixels === "grey" && sources[sought].grey && sources[other].grey ? "grey" : "binary";

  // Both sides appear at once: the slower one would give itself away.
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
          Object.entries(shapes).map(([input, dims]) => [input, { data: drawn(noise, input, dims), dims }]),
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
  const draw = latest(() =>
    play().catch((error) => {
      console.error(error);
      text.textContent = `These images could not be drawn: ${error.message}.`;
    }),
  );

  const show = () => {
    [left, right].forEach((half, i) => {
      const { name, caption, images } = round.sides[i];
      half.paint(images);
      half.caption.textContent = round.revealed ? caption : "?";
      half.canvas.style.borderColor = round.revealed ? colours[name === "real" ? "data" : "model"] : "";
      half.canvas.ariaLabel = `${half.side} grid, ${SHOWN} images${round.revealed ? `: ${caption}` : ""}`;
    });
    [left.guess, right.guess, reveal].forEach((each) => (each.ariaDisabled = !isOpen));
  };

  // The reader's guess that a side is what is sought, or no guess at all.
  const answer = (guessed) => {
    if (!isOpen) return;
    [isOpen, round.revealed] = [false, true];
    const truth = round.sides.findIndex(({ name }) => name === round.sought);
    const verdict = guessed === undefined ? "Not counted." : guessed === truth ? "Right!" : "Wrong.";
    let answerText = `${verdict} Left is ${round.sides[0].caption}, right is ${round.sides[1].caption}.`;
    if (guessed !== undefined) {
      const name = pairName(round);
      const [right, asked] = model.get("scores")[name] ?? [0, 0];
      const score = [right + (guessed === truth), asked + 1];
      set({ scores: { ...model.get("scores"), [name]: score } });
      answerText = withScore(answerText, score, chance(...score));
    }
    show();
    text.textContent = answerText;
  };
  // Which of the two is asked for makes no difference to how hard it is.
  const pairName = ({ sought, other, kind }) =>
    `${names.filter((name) => name === sought || name === other).join(" or ")}, ${KINDS[kind].name}`;
  const chance = (right, asked) => {
    const p = chances[asked]?.[right];
    return p === undefined ? "…" : p < 0.001 ? "below 0.001" : p.toPrecision(2);
  };

  // Settings and scores are kept in the model alone: page and Python both change them there.
  const set = setter(model);
  const renew = (values) => set({ ...values, seed: model.get("seed") + 1 }); // else the sides would stay where they are
  const choice = (trait, twin, label) => {
    const options = names.map((name) => h("option", { value: name }, name));
    const element = h("select", { class: "gu-select", "aria-label": label }, ...options);
    // To choose what the other one has exchanges the two.
    element.addEventListener("change", () =>
      renew({
        [trait]: element.value,
        [twin]: element.value === model.get(twin) ? model.get(trait) : model.get(twin),
      }),
    );
    return element;
  };
  const sought = choice("sought", "other", "The source to be found");
  const other = choice("other", "sought", "The source beside it");
  const kinds = Object.entries(KINDS).map(([kind, { name }]) =>
    h(
      "button",
      { type: "button", class: "gu-button", onclick: () => greyFor(kind) && renew({ pixels: kind }) },
      name,
    ),
  );
  // Of two sources, both can be shown grey or neither is.
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
    rows,
  );

  const showSettings = () => {
    const now = chosen();
    [sought.value, other.value] = [now.sought, now.other];
    kinds.forEach((each, i) => {
      each.ariaPressed = Object.keys(KINDS)[i] === kindOf(now);
      each.ariaDisabled = Object.keys(KINDS)[i] === "grey" && kindOf({ ...now, pixels: "grey" }) !== "grey";
    });
    [left, right].forEach(({ side, guess }) => (guess.textContent = `${side} is ${now.sought}`));
  };
  const showScores = () => {
    const scores = Object.entries(model.get("scores")).sort();
    rows.replaceChildren(
      ...scores.map(([name, [right, asked]]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, name),
          ...[`${right} of ${asked}`, chance(right, asked)].map((value) => h("td", {}, value)),
        ),
      ),
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
      h("div", { class: "gu-buttons", role: "group", "aria-label": "Pixels" }, ...kinds),
    ),
    h("div", { class: "gu-pair" }, half(left), half(right)),
    reserve(
      text,
      ...Object.values(KINDS).map(({ hint }) => hint),
      withScore(longestAnswer, [888, 888], "below 0.001"),
    ),
    h("div", { class: "gu-buttons" }, reveal, again, forget),
    table,
  );
  showSettings();
  showScores();
  // Another round than the reader's first, with its answer.
  const poster = async () => {
    set({ seed: model.get("seed") - 1 });
    await drawing;
    answer();
  };
  return { element, first: play, poster };
}

const withScore = (answer, [right, asked], chance) =>
  `${answer} Right so far: ${right} of ${asked}. Tossing coins does as well or better with probability ${chance}.`;

const KINDS = {
  grey: { name: "grey", hint: "Both sides in grey." },
  binary: {
    name: "black and white",
    hint: "Both sides in black and white: each pixel is drawn with its grey as the probability of ink.",
  },
};

// Noise of a graph's input: its name says of which kind.
function drawn(noise, input, dims) {
  const n = dims.reduce((a, b) => a * b);
  return input.startsWith("u") ? noise.uniforms(n) : noise.normal(n);
}

// Make pause(), which lets the page paint and listen if it has computed for long enough.
function pauses(view) {
  let last = -Infinity;
  return async () => {
    if (performance.now() - last < PAUSE_MS) return;
    await view.nextFrame();
    await view.sleep(0);
    last = performance.now();
  };
}

// A canvas of images in rows of 4.
function gridCanvas() {
  const canvas = h("canvas", { class: "gu-image", role: "img", width: 112, height: 112 });
  const context = canvas.getContext("2d");
  const paint = (images) => {
    for (let i = 0; i < SHOWN; i++) {
      context.putImageData(
        inkImage(images.subarray(784 * i, 784 * (i + 1)), 28, 28),
        28 * (i % 4),
        28 * Math.floor(i / 4),
      );
    }
  };
  return { canvas, paint };
}

export default widget(buildTuringTest, (model) => [model.get("sought"), model.get("other")]);
