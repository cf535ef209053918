// Elements of a page: buttons, sliders, and how to make any other.

// Make an element: h("button", {onclick: f, "aria-label": "…"}, child, "text").
export function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// A button. It is as wide as the longest of its labels, if it has `others` from time to time.
export function button(label, onclick, ...others) {
  const labels = others.length > 0 && [label, ...others].join("\n");
  return h("button", { type: "button", class: "gu-button", "data-labels": labels, onclick }, label);
}

// A box around text that changes, as high as the longest of `texts` needs: nothing below it moves.
export function reserve(node, ...texts) {
  const hidden = texts.map((text) => h("div", { "aria-hidden": "true", "data-text": text }));
  const box = h("div", { class: `gu-reserve ${node.className}` }, node, ...hidden);
  node.removeAttribute("class");
  return box;
}

// A slider with its label, its value and, below, a note. `symbol` is HTML, such as z<sub>3</sub>. A slider with an `end`,
// the symbol at its other end, is also moved by the page itself.
export function slider({
  label,
  symbol,
  end,
  min,
  max,
  step,
  value,
  note = "",
  unused = false,
  format = (v) => v.toFixed(1),
  oninput,
}) {
  const input = h("input", { type: "range", min, max, step, "aria-label": label });
  const output = h("output", { class: "gu-value" });
  const mark = (html) => Object.assign(h("span", { "aria-hidden": "true" }), { innerHTML: html });
  const element = h("label", { class: unused ? "gu-slider gu-unused" : "gu-slider" }, mark(symbol), input, output);
  if (note) element.append(h("small", { class: "gu-note" }, note));
  if (end) {
    element.append(mark(end));
    output.ariaLive = "off"; // what moves by itself is not read aloud
  }
  const set = (number) => {
    input.value = number;
    output.textContent = format(Number(number));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    set(input.value);
    oninput(Number(input.value));
  });
  set(value);
  return { element, set };
}

// A coloured dot and what it stands for.
export const key = (colour, text) =>
  h("span", {}, h("span", { class: "gu-key", style: `background: ${colour}` }), text);

// Numbers, each over its name: strings, or elements.
export function tallies(names) {
  const numbers = names.map(() => h("strong"));
  const parts = names.map((name, i) => h("div", {}, numbers[i], h("span", {}, ...[name].flat())));
  const set = (texts) => {
    texts.forEach((text, i) => {
      numbers[i].textContent = text;
    });
  };
  return { element: h("div", { class: "gu-tallies" }, ...parts), set };
}

// Digits in groups of three, with thin spaces.
export const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");

// A number with a real minus sign.
export const signed = (text) => String(text).replace("-", "−");

// Make set({ name: value, … }), which changes traits here and in Python.
export function setter(model) {
  return (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
}
