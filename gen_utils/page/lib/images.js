// Grey images of 28 × 28 pixels, or of other sizes, on canvases.

import { h } from "./elements.js";

// The red, green and blue of a colour such as "#0072B2", 0…255.
export const rgb = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));

// Grey values 0…1 as a picture: dark ink on light paper, in the page's light and dark theme alike.
export function inkImage(values, width, height) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.fill(255 * (1 - values[i]), 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

// A canvas for one grey image, or for several side by side.
export function imageCanvas(label, width, height, count = 1) {
  const look = { class: "gu-image", role: "img", "aria-label": label, width: count * width, height };
  const element = h("canvas", look);
  const context = element.getContext("2d");
  const size = width * height;
  const paint = (values) => {
    for (let i = 0; i < count; i++) {
      context.putImageData(inkImage(values.subarray(i * size, (i + 1) * size), width, height), i * width, 0);
    }
  };
  return { element, paint };
}

// Images that Python wrote as text: a byte a pixel, in base64.
export function imageBytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// Whether nothing is drawn on an image.
export const isBlank = (values) => values.every((value) => value === 0);
