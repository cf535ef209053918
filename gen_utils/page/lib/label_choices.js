// A button for every label, each with a picture of what that label gives; the trait `label` follows. `describe(name)`
// says what a picture shows, `name` what all of them do.
function labelChoices(model, name, describe) {
  const classes = model.get("classes");
  const images = classes.map((each) => imageCanvas(describe(each), 28, 28));
  const set = setter(model);
  const buttons = classes.map((each, label) =>
    h("button", { type: "button", class: "gu-choice", "aria-label": `Label ${each}`, onclick: () => set({ label }) }, images[label].element, each),
  );
  const show = () => buttons.forEach((choice, label) => choice.setAttribute("aria-pressed", label === model.get("label")));
  const paint = (pictures) => images.forEach((image, label) => image.paint(pictures[label]));
  const element = h("div", { class: "gu-choices" }, h("div", { class: "gu-row", role: "group", "aria-label": name }, ...buttons));
  return { element, show, paint };
}
