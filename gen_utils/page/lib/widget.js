// A widget's life: it starts when it comes near the reader, shows its poster until then, and ends with its view.

import { h } from "./elements.js";
import { graphRunner } from "./graphs.js";
import { lifetime } from "./lifetime.js";

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
  const view = { ...life, model: modelOf(model, life), invoke: experimental?.invoke };
  const status = h("p", { class: "gu-status", role: "status" }, "Loading the model into this page…");
  el.classList.add("gu-widget");
  // JupyterLab acts on the arrow keys, and D D deletes a cell, wherever the focus is, except on elements with this mark.
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
      for (const poster of posters(el)) poster.classList.add("gu-poster-hidden");
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
    { rootMargin: "300px" },
  );
  life.observe(observer, el);
  return () => {
    life.end();
    el.classList.remove("gu-live");
    el.replaceChildren();
  };
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
