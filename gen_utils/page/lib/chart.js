// A chart's two axes: lines, ticks and names. The widget draws on them.

import { signed } from "./elements.js";

// Paint the axes `x` and `y`, each {range: [low, high], ticks: [[value, text], …], name}. Returns functions from values
// to CSS pixels: {toX, toY}.
export function paintChart(context, width, height, { x, y }) {
  context.font = "12px sans-serif";
  const widest = Math.max(...y.ticks.map(([, text]) => context.measureText(text).width));
  const left = Math.max(54, widest + 28); // margins, for the axes' numbers and names
  const [right, top, bottom] = [12, 10, 40];
  const place =
    ([low, high], from, to) =>
    (value) =>
      from + ((value - low) / (high - low)) * (to - from);
  const [toX, toY] = [place(x.range, left, width - right), place(y.range, height - bottom, top)];
  const floor = height - bottom;
  context.textBaseline = "middle";
  context.lineWidth = 1;
  context.beginPath();
  [
    [left, top],
    [left, floor],
    [width - right, floor],
  ].forEach((corner) => context.lineTo(...corner));
  context.stroke();
  context.textAlign = "center";
  for (const [value, text] of x.ticks) {
    context.fillRect(toX(value), floor, 1, 4);
    context.fillText(text, toX(value), floor + 13);
  }
  context.fillText(x.name, (left + width - right) / 2, height - 8);
  context.textAlign = "right";
  for (const [value, text] of y.ticks) {
    context.fillRect(left - 4, toY(value), 4, 1);
    context.fillText(text, left - 7, toY(value));
  }
  context.save();
  context.translate(8, (top + floor) / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(y.name, 0, 0);
  context.restore();
  return { toX, toY };
}

// Round numbers from low to high, about five or fewer, as ticks.
export function roundTicks([low, high]) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 5));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= (high - low) / 5);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, i) => [(first + i) * step, signed(((first + i) * step).toFixed(digits))]);
}
