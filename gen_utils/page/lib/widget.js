// A widget's life: it starts when it comes near the reader, shows its poster until then, and ends with its view.

import { progress } from "./files.js";
import { graphRunner } from "./graphs.js";
import { lifetime } from "./lifetime.js";
import { persistently, statusLine } from "./line.js";

// Make the module that anywidget expects.
//
// `build(view)` makes the widget from `view`: the model, the `graphs`, and what lifetime.js offers to start things that
// end with the view. It returns the `element`; `first()`, which draws the first picture; and, if that is not what the poster
// shall show, `poster()`, which goes on to what it shows. `firstGraphs(model)` names
// the graphs that are loaded before: by default all.
export function widget(build, firstGraphs = (model) => Object.keys(model.get("graphs"))) {
  return { render: ({ model, el, experimental }) => start({ model, el, experimental, build, firstGraphs }) };
}

function start({ model, el, experimental, build, firstGraphs }) {
  const life = lifetime();
  const line = statusLine(el);
  el.classList.add("gu-widget");
  // JupyterLab acts on the arrow keys, and D D deletes a cell, wherever the focus is, except on elements with this mark.
  const spare = ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true");
  el.addEventListener("focusin", spare, { signal: life.signal });
  el.style.setProperty("--gu-accent", model.get("colours").latent);
  line.wait("Loading the model into this page…");
  // Each attempt has a lifetime of its own: what a failed one has started ends with it.
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
    for (const poster of posters(el)) poster.classList.add("gu-poster-hidden");
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
    { rootMargin: "300px" },
  );
  life.observe(observer, el.closest(".cell_output") ?? el); // above it stands the poster, which may be high
  return () => {
    life.end();
    el.classList.remove("gu-live");
    el.replaceChildren();
  };
}

// Graphs whose failures, once the widget lives, stand under it until one has run again.
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

// The model, with listeners that end with the view.
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
    on,
  };
}

// The poster is an output of the same cell, before the widget: in a page, in Jupyter, in VS Code.
function posters(el) {
  const cell = el.closest(".cell_output, .jp-OutputArea, .output_container, .output") ?? el.parentElement;
  const images = [...cell.querySelectorAll("img")].filter((image) => !el.contains(image));
  return images.map((image) => image.closest("a.image-reference, .output, .jp-OutputArea-child") ?? image);
}
