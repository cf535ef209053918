// Draw a digit: it is buried in noise up to the step that the slider says, and the model digs out a digit from there.

function render({ model, el }) {
  comeAlive({ model, el, build: (graphs) => buildNoisyDrawing(model, graphs) });
}

function buildNoisyDrawing(model, graphs) {
  const times = model.get("times");
  const steps = times.length - 1;
  const none = model.get("classes").length; // the label that is none
  const clean = imageCanvas("Your drawing, prepared as MNIST was", 28, 28);
  const noisy = imageCanvas("Your drawing with noise", 28, 28);
  const denoised = imageCanvas("What the model makes of it", 28, 28);
  const [buried, dug] = [h("div", { class: "gu-caption" }), h("div", { class: "gu-caption" })];
  const text = h("p", { class: "gu-hint", role: "status" });
  let x = { data: new Float32Array(784), dims: IMAGE }; // prepared
  let changes = 0; // of drawing or settings: what was begun before a change stops

  const draw = latest(async () => {
    const [began, change] = [performance.now(), changes];
    const { start, label, seed } = settings();
    const noise = new Noise(seed);
    const found = await graphs.run("noise", { x, noise: standardNoise(noise), i: oneNumber(start), steps: oneNumber(steps) });
    const [signal, spread] = Array.from(found.weights.data, (weight) => weight.toFixed(2));
    const blank = x.data.every((value) => value === 0);
    clean.paint(x.data);
    noisy.paint(found.picture.data);
    buried.textContent = `xₜ: noised to t = ${times[start]}`;
    text.textContent = blank ? "Nothing is drawn." : `xₜ = ${signal} x₀ + ${spread} ε`;
    noisy.element.dataset.ms = performance.now() - began;
    denoised.element.dataset.shown = "";

    dug.textContent = "denoising …";
    let sample;
    const grow = growth(start);
    const chosen = { steps, label, guidance: model.get("guidance"), eta: 0 };
    for await (const { picture, guess } of descent(graphs, found.x_t, noise, { start, ...chosen })) {
      if (change !== changes) return;
      await grow(() => denoised.paint(picture));
      sample = guess; // where the last step ends
    }
    if (change !== changes) return;
    denoised.paint(sample);
    dug.textContent = label === none ? "denoised, no label" : `denoised as ${model.get("classes")[label]}`;
    denoised.element.dataset.shown = JSON.stringify({ start, label, seed });
    denoised.element.dataset.took = performance.now() - began;
  });
  const restart = () => {
    changes += 1;
    drawn = draw();
  };
  const prepare = latest(async () => {
    ({ x } = await graphs.run("prepare", { ink: pad.ink() }));
    restart();
  });
  const drawingChanged = () => {
    changes += 1;
    prepared = prepare();
  };

  const settings = () => Object.fromEntries(["start", "label", "seed"].map((name) => [name, model.get(name)]));
  const set = setter(model);
  let [prepared, drawn] = [null, null];
  const pad = drawingPad({ label: "Drawing pad", examples: imageBytes(model.get("examples")), onchange: drawingChanged });
  const level = slider({
    label: "Step that the drawing is noised to", symbol: "<i>t</i>", format: (i) => times[i],
    min: 1, max: steps, step: 1, value: model.get("start"), oninput: (value) => set({ start: value }),
  });
  model.on("change:example", () => pad.show(model.get("example")));
  model.on("change:start", () => level.set(model.get("start")));
  model.on("change:start change:label change:seed", restart);

  const figure = (image, caption) => h("div", {}, image.element, caption);
  const other = button("Other noise", () => set({ seed: model.get("seed") + 1 }));
  const element = h(
    "div", { class: "gu-columns gu-noisy", style: `--gu-accent: ${model.get("colours").model}` },
    pad.element,
    h(
      "div", { class: "gu-pad" },
      h("div", { class: "gu-beside" }, figure(clean, h("div", { class: "gu-caption" }, "x₀: your drawing")), h("div", {}, level.element, text, h("div", { class: "gu-buttons" }, other))),
      h("div", { class: "gu-pair" }, figure(noisy, buried), figure(denoised, dug)),
      h("div", { class: "gu-caption gu-told" }, "Denoise it as"), labelButtons(model),
    ),
  );
  const first = async () => {
    pad.show(model.get("example"));
    await prepared;
    await drawn;
  };
  return { element, first };
}

export default { render };
