// A pad to draw a digit on, with a finger, a pen, a mouse or the keyboard. Its content is read as ink, 0…1.

import { button, h } from "./elements.js";
import { inkImage } from "./images.js";

const PAD_SIDE = 280; // of the drawing, in pixels: ten for each of MNIST's
const PEN_WIDTH = PAD_SIDE / 12; // about MNIST's, once the drawing is 20 pixels high
const PEN_STEP = 7; // what an arrow key moves the pen

// `examples` are images of 28 × 28 bytes, one after the other, that a button shows in turn; `onchange()` is called for
// each change. Returns the element and its buttons; ink(), a tensor of 280 × 280, 1 for ink; showExample(k);
// clear(); and setImage(bytes), which shows an image and does not call `onchange`. What is shown is a ghost, which the
// first stroke erases.
export function drawingPad({ label, examples = new Uint8Array(), onchange }) {
  const canvas = h("canvas", {
    class: "gu-ink",
    role: "application",
    "aria-roledescription": "drawing pad",
    tabindex: 0,
    "aria-label": `${label}: draw with a finger, a pen or the mouse, or move with the arrow keys and press Space to lower or lift the pen`,
    width: PAD_SIDE,
    height: PAD_SIDE,
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const cursor = h("span", { class: "gu-cursor", hidden: true });
  const note = h("p", { class: "gu-hint", role: "status" });
  const fill = () => {
    canvas.classList.remove("gu-ghost");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, PAD_SIDE, PAD_SIDE);
  };
  const clear = () => {
    fill();
    onchange();
  };
  const ink = () => {
    const { data } = context.getImageData(0, 0, PAD_SIDE, PAD_SIDE);
    const values = new Float32Array(PAD_SIDE * PAD_SIDE);
    for (let i = 0; i < values.length; i++) values[i] = 1 - data[4 * i] / 255;
    return { data: values, dims: [1, 1, PAD_SIDE, PAD_SIDE] };
  };
  const setImage = (bytes) => {
    const small = h("canvas", { width: 28, height: 28 });
    const values = Float32Array.from(bytes, (byte) => byte / 255);
    small.getContext("2d").putImageData(inkImage(values, 28, 28), 0, 0);
    context.imageSmoothingEnabled = false; // so that preparing it gives the very image again
    context.drawImage(small, 0, 0, PAD_SIDE, PAD_SIDE);
    canvas.classList.add("gu-ghost"); // pale on the paper, whole as ink
  };
  let shown = 0;
  const showExample = (k) => {
    shown = k;
    setImage(examples.subarray(784 * k, 784 * (k + 1)));
    onchange();
  };

  // The first stroke erases an image that was shown: nobody draws half of a digit upon another.
  const pen = () => penOn(context, () => canvas.classList.contains("gu-ghost") && fill());
  drawWithKeys(canvas, pen(), onchange, cursor, note);
  drawWithPointer(canvas, pen(), onchange);
  fill();

  const buttons = h("div", { class: "gu-buttons" }, button("Clear", clear));
  if (examples.length)
    buttons.prepend(button("An example", () => showExample((shown + 1) % (examples.length / 784))));
  const element = h("div", { class: "gu-pad" }, h("div", { class: "gu-paper" }, canvas, cursor), note, buttons);
  return { element, buttons, ink, setImage, showExample, clear };
}

// A round pen: from the middle of one step to the middle of the next it draws a curve, so that strokes have no corners.
// `onlower()` is called before it touches the paper.
function penOn(context, onlower) {
  let last, middle;
  const line = (...curve) => {
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = PEN_WIDTH;
    context.strokeStyle = "#000";
    context.beginPath();
    context.moveTo(...middle);
    context.quadraticCurveTo(...curve);
    context.stroke();
  };
  const lower = (x, y) => {
    onlower();
    last = middle = [x, y];
    context.fillStyle = "#000";
    context.beginPath();
    context.arc(x, y, PEN_WIDTH / 2, 0, 2 * Math.PI);
    context.fill();
  };
  const move = (x, y) => {
    const next = [(last[0] + x) / 2, (last[1] + y) / 2];
    line(...last, ...next);
    middle = next;
    last = [x, y];
  };
  const lift = () => line(...last, ...last);
  return { lower, move, lift };
}

function drawWithPointer(canvas, pen, onchange) {
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * PAD_SIDE, ((event.clientY - box.top) / box.height) * PAD_SIDE];
  };
  let drawing = null; // the pointer that draws: a second finger or a resting hand does not
  canvas.addEventListener("pointerdown", (event) => {
    if (drawing !== null || event.button !== 0) return;
    drawing = event.pointerId;
    canvas.setPointerCapture(drawing);
    pen.lower(...place(event));
    onchange();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== drawing) return;
    const passed = event.getCoalescedEvents?.() ?? []; // all that happened since the last frame
    for (const each of passed.length ? passed : [event]) pen.move(...place(each));
    onchange();
  });
  const end = (event) => {
    if (event.pointerId !== drawing) return;
    drawing = null;
    pen.lift();
    onchange();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
}

function drawWithKeys(canvas, pen, onchange, cursor, note) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const at = [PAD_SIDE / 2, PAD_SIDE / 2];
  let down = false;
  const showHint = () => {
    cursor.style.left = `${(100 * at[0]) / PAD_SIDE}%`;
    cursor.style.top = `${(100 * at[1]) / PAD_SIDE}%`;
    cursor.classList.toggle("gu-down", down);
    if (cursor.hidden) note.textContent = "Draw a digit: with a finger, a pen, the mouse or the keyboard.";
    else if (down) note.textContent = "The pen is down: arrow keys draw, Space lifts it.";
    else note.textContent = "The pen is up: arrow keys move it, Space lowers it.";
  };
  const setPen = (isDown) => {
    if (isDown && !down) pen.lower(...at);
    if (!isDown && down) pen.lift();
    if (isDown !== down) onchange();
    down = isDown;
  };
  const showCursor = (visible) => {
    if (!visible) setPen(false);
    cursor.hidden = !visible;
    showHint();
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== " " && !(event.key in arrows)) return;
    event.preventDefault();
    if (event.key === " ") {
      if (!event.repeat) setPen(!down);
    } else {
      arrows[event.key].forEach(
        (sign, axis) => (at[axis] = Math.max(0, Math.min(PAD_SIDE, at[axis] + PEN_STEP * sign))),
      );
      if (down) {
        pen.move(...at);
        onchange();
      }
    }
    showCursor(true);
  });
  canvas.addEventListener("focus", () => showCursor(canvas.matches(":focus-visible")));
  canvas.addEventListener("blur", () => showCursor(false));
  canvas.addEventListener("pointerdown", () => showCursor(false));
  showHint();
}
