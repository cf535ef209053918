// Bring widgets to life (4 MB on the wire: onnxruntime-web) only when one comes near and the reader moves the pointer,
// scrolls or types. Until then its poster stands in for it: a page that is only read, or only opened, costs nothing more.
(() => {
  const here = new URL(document.currentScript.src);
  const vendor = (path) => new URL(`vendor/${path}`, here).href.replace(/\?.*/, "");
  const stored = (kind) => document.querySelectorAll(`script[type="application/vnd.jupyter.widget-${kind}+json"]`);
  const QUIET_MS = 8000; // the reader is told
  document.documentElement.classList.add("gu-script"); // hides the line which says that this has not run

  // Show words under the poster, before a view, with a button that calls `press` if it is given; without words, none.
  const say = (view, words, press) => {
    const old = view.previousElementSibling;
    if (old?.matches(".gu-trouble")) old.remove();
    if (!words) return;
    const line = Object.assign(document.createElement("p"), { className: "gu-trouble", role: "status" });
    line.append(words);
    if (press) {
      const again = Object.assign(document.createElement("button"), { type: "button", textContent: "Try again now" });
      again.addEventListener("click", press);
      line.append(" ", again);
    }
    view.before(line);
  };

  // ---- The course's own widgets: a program, a style and values, all three in the page --------------------------------

  // What a widget sees of its values, as anywidget has it; there is no kernel to hear of them.
  const modelOf = (values) => {
    const listeners = new Set();
    return {
      get: (name) => values[name],
      set: (name, value) => {
        if (JSON.stringify(values[name]) === JSON.stringify(value)) return;
        values[name] = value;
        for (const [event, heard] of [...listeners]) if (event === `change:${name}`) heard();
      },
      save_changes: () => {},
      on: (event, heard) => listeners.add([event, heard]),
      off: (event, heard) => {
        for (const each of listeners) if (each[0] === event && each[1] === heard) listeners.delete(each);
      },
    };
  };

  const styles = new Set();
  const addStyle = (text) => {
    if (styles.has(text)) return;
    styles.add(text);
    const sheet = new CSSStyleSheet(); // not an element: a site's policy may forbid those
    sheet.replaceSync(text);
    document.adoptedStyleSheets.push(sheet);
  };

  const show = async (view, { model, program, style }) => {
    const address = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    try {
      const widget = (await import(address)).default;
      addStyle(style);
      const el = document.createElement("div");
      view.before(el);
      widget.render({ model, el });
    } catch (error) {
      console.error(error);
      say(
        view,
        `This widget could not start: ${error.message}. If the site's security policy forbids it, who runs the site can allow 'blob:' in script-src; else a newer browser may help.`,
      );
    } finally {
      URL.revokeObjectURL(address);
    }
  };

  // ---- Jupyter's own widgets, if a page has any: require.js and html-manager, a megabyte on the wire -----------------

  // Do `work` until it succeeds, with growing pauses, and say so.
  const persistently = async (views, work) => {
    for (let pause = 2000; ; pause = Math.min(2 * pause, 60_000)) {
      const told = setTimeout(() => tell("The widget is still loading: the connection is slow, or lost."), QUIET_MS);
      const tell = (words, press) => views.forEach((view) => say(view, words, press));
      try {
        const found = await work();
        tell("");
        return found;
      } catch (error) {
        console.error(error);
        await new Promise((resolve) => {
          setTimeout(resolve, pause);
          addEventListener("online", resolve, { once: true });
          tell(`This widget could not start: ${error.message}. It goes on trying.`, resolve);
        });
      } finally {
        clearTimeout(told);
      }
    }
  };
  const script = (path) =>
    new Promise((resolve, reject) => {
      const node = document.createElement("script");
      node.src = vendor(path);
      node.setAttribute("data-jupyter-widgets-cdn", vendor("")); // what is missing is never asked of another host
      node.onload = resolve;
      node.onerror = () => {
        node.remove();
        reject(new Error(`${path} could not be loaded`));
      };
      document.head.append(node);
    });
  // Fetch a file that require.js will ask for, so that it comes out of the browser's cache.
  const fetched = async (path) => {
    const response = await fetch(vendor(path)).catch(() => ({ ok: false }));
    if (!response.ok) throw new Error(`${path} could not be loaded`);
    await response.arrayBuffer();
  };

  // html-manager brings every style sheet twice, and icon fonts that no widget here uses. Each new @font-face makes the
  // browser lay out the whole page again, formulas and all, so they go before it looks at them.
  const known = new Set();
  const slim = (changes) => {
    for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (node.nodeName !== "STYLE" || node.id) continue;
      const rules = node.textContent;
      if (known.has(rules)) node.remove();
      else node.textContent = rules.replace(/@font-face\s*{[^}]*}/g, "");
      known.add(rules);
    }
  };

  const manage = async (views) => {
    try {
      new Function(""); // html-manager's checker of data makes functions of text
    } catch {
      const words =
        "This widget could not start: this site's security policy forbids 'unsafe-eval', which Jupyter's own widgets need.";
      for (const view of views) say(view, words);
      return;
    }
    new MutationObserver(slim).observe(document.head, { childList: true });
    await persistently(views, () => script("require.js"));
    requirejs.config({ waitSeconds: 0, paths: { anywidget: vendor("anywidget/index") } });
    await persistently(views, () => fetched("anywidget/index.js"));
    // It looks for widgets when it arrives, if the page has loaded by then.
    await persistently(views, () => script("embed-amd.js"));
    const watch = setInterval(() => {
      const missing = views.filter((view) => !view.parentElement.querySelector(".widget-subarea > *"));
      for (const view of views)
        say(view, missing.includes(view) && "This widget has not started yet. Reload the page.");
      if (!missing.length) clearInterval(watch);
    }, QUIET_MS);
  };

  // ---- When -----------------------------------------------------------------------------------------------------------

  const revive = (views) => {
    const models = Object.assign({}, ...[...stored("state")].map((node) => JSON.parse(node.textContent).state));
    const isOurs = ({ model_name, state }) =>
      model_name === "LayoutModel" || state._anywidget_id?.startsWith("gen_utils.");
    if (!Object.values(models).every(isOurs)) return manage(views);
    const made = {}; // two views of a model share its values
    for (const view of views) {
      const { model_id } = JSON.parse(view.textContent);
      const { _esm: program, _css: style, ...values } = models[model_id].state;
      made[model_id] ??= { model: modelOf(values), program, style };
      show(view, made[model_id]);
    }
  };

  const interaction = new Promise((resolve) => {
    for (const event of ["pointermove", "pointerdown", "wheel", "keydown"]) {
      addEventListener(event, resolve, { once: true, passive: true, capture: true });
    }
    // Of the page itself: the theme scrolls its sidebar when a page opens.
    document.addEventListener("scroll", ({ target }) => target === document && resolve(), { passive: true });
  });

  const nearby = (views) =>
    new Promise((resolve) => {
      const observer = new IntersectionObserver(
        (entries) => {
          if (!entries.some((entry) => entry.isIntersecting)) return;
          observer.disconnect();
          resolve();
        },
        { rootMargin: "800px" },
      );
      // A script takes no space of its own: watch the cell around it.
      for (const view of views) observer.observe(view.closest(".cell_output") ?? view.parentElement);
    });

  addEventListener("load", () => {
    const views = [...stored("view")];
    nearby(views)
      .then(() => interaction)
      .then(() => revive(views))
      .catch((error) => {
        console.error(error);
        for (const view of views) say(view, `This page's widgets could not start: ${error.message}.`);
      });
  });
})();
