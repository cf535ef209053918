// The two switches of the bar, and how far the reader is. All else on the page works without this.
(() => {
  const root = document.documentElement;
  // Before anything is drawn: the reader's colours, and whether code is open. A browser may store nothing.
  const stored = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (stored("mode") ?? dark) === "dark" ? "dark" : "light";
  root.dataset.layer = stored("layer") ?? "read";
  const remember = (name, value) => {
    try {
      localStorage.setItem(name, value);
    } catch {} // it is forgotten
  };

  const start = () => {
    const mode = document.querySelector(".mode");
    const showMode = () => mode.setAttribute("aria-pressed", root.dataset.theme === "dark");
    mode.addEventListener("click", () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      remember("mode", root.dataset.theme);
      showMode();
    });
    showMode();
    mode.hidden = false;

    const layer = document.querySelector(".layer");
    if (layer) {
      const folds = document.querySelectorAll("details.fold");
      const showLayer = (change) => {
        const open = root.dataset.layer === "code";
        layer.setAttribute("aria-pressed", open);
        if (change || open) for (const fold of folds) fold.open = open;
      };
      const turn = () => {
        root.dataset.layer = root.dataset.layer === "code" ? "read" : "code";
        remember("layer", root.dataset.layer);
        // What the reader looks at stays where it is.
        const seen = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
        const before = seen?.getBoundingClientRect().top;
        showLayer(true);
        if (seen) scrollBy(0, seen.getBoundingClientRect().top - before);
      };
      layer.addEventListener("click", turn);
      addEventListener("keydown", (event) => {
        const typing = event.target.closest("input, textarea, select, [contenteditable]");
        if (event.key === "c" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) turn();
      });
      showLayer(false);
      layer.hidden = false;
    }

    const menu = document.querySelector(".menu");
    addEventListener("click", (event) => {
      if (menu.open && (!menu.contains(event.target) || event.target.closest(".panel a"))) menu.open = false;
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menu.open) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });

    // A link may lead into a fold.
    const unfold = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details"))
        fold.open = true;
    };
    addEventListener("hashchange", unfold);
    unfold();

    // What scrolls sideways can be reached by keys.
    const stops = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
        else target.removeAttribute("tabindex");
      }
    });
    for (const node of document.querySelectorAll("pre, div.math, .pst-scrollable-table-container"))
      stops.observe(node);

    // A symbol under the pointer lights up everywhere, and its line of the notation shows.
    const symbols = document.querySelector("#symbols");
    if (symbols) {
      const meanings = JSON.parse(symbols.textContent);
      const line = Object.assign(document.createElement("p"), { className: "meaning math", hidden: true });
      document.body.append(line);
      addEventListener("pointerover", ({ target }) => {
        const name =
          target
            .closest('[class*="sym-"]')
            ?.getAttribute("class")
            .match(/sym-(\w+)/)[1] ?? "";
        if (name === (root.dataset.lit ?? "")) return;
        root.dataset.lit = name;
        line.hidden = !name;
        if (!name) return;
        line.textContent = meanings[name];
        MathJax.typesetPromise?.([line]);
      });
    }

    const progress = document.querySelector(".progress");
    const measure = () => {
      const reach = root.scrollHeight - innerHeight;
      progress.value = reach > 0 ? scrollY / reach : 0;
    };
    addEventListener("scroll", measure, { passive: true });
    measure();
  };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
