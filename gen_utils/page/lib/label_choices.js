// A button for every label, each with a picture of what that label gives. The trait `label` follows.

import { h, setter } from "./elements.js";
import { imageCanvas } from "./images.js";

// `describe(name)` says what a label's picture shows, `name` what all of them do.
export function labelChoices(model, name, describe) {
  const classes = model.get("classes");
  const images = classes.map((label) => imageCanvas(describe(label), 28, 28));
  const set = setter(model);
  const buttons = classes.map((text, label) => {
    const look = { type: "button", class: "gu-choice", "aria-label": `Label ${text}`, onclick: () => set({ label }) };
    return h("button", look, images[label].element, text);
  });
  const show = () => {
    for (const [label, choice] of buttons.entries()) {
      choice.setAttribute("aria-pressed", label === model.get("label"));
    }
  };
  const paint = (pictures) => {
    for (const [label, image] of images.entries()) image.paint(pictures[label]);
  };
  const row = h("div", { class: "gu-row", role: "group", "aria-label": name }, ...buttons);
  return { element: h("div", { class: "gu-choices" }, row), show, paint };
}
