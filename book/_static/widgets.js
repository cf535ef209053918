// Load what revives widgets (require.js and html-manager, a megabyte on the wire, and then 4 of onnxruntime-web) only
// when a widget comes near and the reader moves the pointer, scrolls or types. Until then its poster stands in for it: a
// page that is only read, or only opened, costs nothing more.
(() => {
  const here = new URL(document.currentScript.src);
  const vendor = (path) => new URL(`vendor/${path}`, here).href;
  const script = (path) =>
    new Promise((resolve, reject) => {
      const node = document.createElement("script");
      node.src = vendor(path);
      node.onload = resolve;
      node.onerror = () => reject(new Error(`${path} could not be loaded`));
      document.head.append(node);
    });

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

  const revive = async () => {
    new MutationObserver(slim).observe(document.head, { childList: true });
    await script("require.js");
    requirejs.config({ paths: { anywidget: vendor("anywidget/index").replace(/\?.*/, "") } });
    // It looks for widgets when it arrives, if the page has loaded by then.
    await script("embed-amd.js");
  };

  const interaction = new Promise((resolve) => {
    for (const event of ["pointermove", "pointerdown", "wheel", "keydown"]) {
      addEventListener(event, resolve, { once: true, passive: true, capture: true });
    }
    // Of the page itself: the theme scrolls its sidebar when a page opens.
    document.addEventListener("scroll", ({ target }) => target === document && resolve(), { passive: true });
  });

  addEventListener("load", () => {
    const views = document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]');
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        interaction.then(revive);
      },
      { rootMargin: "800px" },
    );
    // A script takes no space of its own: watch the cell around it.
    views.forEach((view) => observer.observe(view.closest(".cell_output") ?? view.parentElement));
  });
})();
