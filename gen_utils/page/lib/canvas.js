// Canvases that are painted again when their size or the theme changes, and planes with a point to move.

import { h } from "./elements.js";

// A canvas as large as its style says, in the colour of the text: `draw(context, width, height)` paints it, in CSS
// pixels.
export function drawnCanvas(view, properties, draw) {
  const element = h("canvas", properties);
  const context = element.getContext("2d");
  const repaint = () => {
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (!width) return;
    const scale = globalThis.devicePixelRatio || 1;
    [element.width, element.height] = [Math.round(width * scale), Math.round(height * scale)];
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.strokeStyle = context.fillStyle = getComputedStyle(element).color;
    draw(context, width, height);
  };
  view.observe(new ResizeObserver(repaint), element);
  const theme = { attributes: true, attributeFilter: ["data-theme"] };
  view.observe(new MutationObserver(repaint), document.documentElement, theme);
  return { element, repaint };
}

// A square canvas of a plane from −limit to limit: `draw(context, toPixels)` paints what lies on it, in CSS pixels.
export function planeCanvas(view, properties, limit, draw) {
  return drawnCanvas(view, properties, (context, side) =>
    draw(context, ([x, y]) => [((x + limit) / (2 * limit)) * side, ((limit - y) / (2 * limit)) * side]),
  );
}

// Where on its plane, from −limit to limit, an event happened.
export function placeOnPlane(event, limit) {
  const box = event.currentTarget.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * 2 * limit - limit;
  const y = limit - ((event.clientY - box.top) / box.height) * 2 * limit;
  return [x, y];
}

// How far each arrow key moves a point, upwards positive.
export const arrowMoves = (step) => ({
  ArrowLeft: [-step, 0],
  ArrowRight: [step, 0],
  ArrowUp: [0, step],
  ArrowDown: [0, -step],
});

// A plane with a point that a finger, a mouse or the arrow keys move. `draw` paints what lies under the point;
// `onmove(x, y)` is called for each move.
export function pointPlane(view, { label, limit, step, colour, draw, onmove }) {
  const point = [0, 0];
  const look = {
    class: "gu-plane",
    role: "application",
    "aria-roledescription": "plane",
    "aria-label": label,
    tabindex: 0,
  };
  const { element, repaint } = planeCanvas(view, look, limit, (context, toPixels) => {
    draw(context, toPixels);
    context.lineWidth = 3;
    context.strokeStyle = colour;
    context.beginPath();
    context.arc(...toPixels(point), 9, 0, 2 * Math.PI);
    context.stroke();
  });
  const set = (x, y) => {
    point[0] = x;
    point[1] = y;
    repaint();
  };
  // To the two digits that the sliders show, so that what is shown is what was decoded.
  const clamp = (v) => Math.round(100 * Math.max(-limit, Math.min(limit, v))) / 100;
  const move = ([x, y]) => {
    set(clamp(x), clamp(y));
    onmove(...point);
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    move(placeOnPlane(event, limit));
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) move(placeOnPlane(event, limit));
  });
  const arrows = arrowMoves(step);
  element.addEventListener("keydown", (event) => {
    if (!(event.key in arrows)) return;
    event.preventDefault();
    move(point.map((v, i) => v + arrows[event.key][i]));
  });
  return { element, set };
}

// The plane's two axes, faint.
export function paintAxes(context, toPixels, limit) {
  context.globalAlpha = 0.4;
  context.lineWidth = 1;
  const axes = [
    [
      [-limit, 0],
      [limit, 0],
    ],
    [
      [0, -limit],
      [0, limit],
    ],
  ];
  for (const ends of axes) {
    context.beginPath();
    for (const end of ends) context.lineTo(...toPixels(end));
    context.stroke();
  }
  context.globalAlpha = 1;
}

// The codes of labelled data, as the digits of their labels, and the two axes.
export function paintCodes(context, toPixels, { codes, labels, palette, limit }) {
  context.font = "600 10px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const text = context.fillStyle; // mixed in, or some colours are too light for letters this small, or too dark
  const inks = palette.map((colour) => `color-mix(in srgb, ${colour} 70%, ${text})`);
  codes.forEach((code, i) => {
    context.fillStyle = inks[labels[i]];
    context.fillText(labels[i], ...toPixels(code));
  });
  paintAxes(context, toPixels, limit);
}

// Sort points of the plane, two numbers each, by direction: the indices of the points in each of so many sectors.
export function byDirection(points, sectors) {
  const members = Array.from({ length: sectors }, () => []);
  for (let i = 0; i < points.length / 2; i++) {
    const turn = Math.atan2(points[2 * i + 1], points[2 * i]) / (2 * Math.PI) + 1;
    members[Math.floor(turn * sectors) % sectors].push(i);
  }
  return members;
}
