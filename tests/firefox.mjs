// What Firefox makes of the site's chapters, as a line of JSON for each: node tests/firefox.mjs FIREFOX ADDRESS…
import puppeteer from "puppeteer-core";

const [executablePath, ...addresses] = process.argv.slice(2);
const OUTPUTS = ".cell_output:has(script[type='application/vnd.jupyter.widget-view+json'])";
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 700 };

// Troubles of a page, as they come.
function watch(page, origin) {
  const found = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) found.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => found.push(`uncaught: ${error.message}`));
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin)
      found.push(`another origin: ${request.url()}`);
  });
  page.on("requestfailed", (request) => found.push(`failed: ${request.url()}`));
  page.on("response", (response) => response.ok() || found.push(`${response.status()}: ${response.url()}`));
  return found;
}

// Press the button that takes a step or, where there is none, move the first slider by a key; wait for what is drawn then.
async function use(page, widget) {
  const button = await widget.$("::-p-xpath(.//button[.='Step'])");
  const slider = await widget.$("input[type=range]");
  if (!button && !slider) return false;
  const drawn = (all) => all.map((canvas) => canvas.toDataURL());
  const before = await widget.$$eval("canvas", drawn);
  if (button) await button.click();
  else await slider.press(await slider.evaluate((e) => (e.value === e.max ? "ArrowLeft" : "ArrowRight")));
  await page.waitForFunction(
    (w, shown) => [...w.querySelectorAll("canvas")].some((canvas, i) => canvas.toDataURL() !== shown[i]),
    {},
    widget,
    before,
  );
  return true;
}

// Press the mouse on a plane whose point is decoded, at a share of its width and height.
async function point(page, widget, [x, y]) {
  const plane = await widget.$(".gu-plane[role=application]");
  if (!plane || !(await widget.$("canvas[data-z]"))) return;
  await plane.scrollIntoView();
  const box = await plane.boundingBox();
  const before = await widget.$eval("canvas[data-z]", (canvas) => canvas.dataset.z);
  await page.mouse.click(box.x + x * box.width, box.y + y * box.height);
  await page.waitForFunction((w, z) => w.querySelector("canvas[data-z]").dataset.z !== z, {}, widget, before);
}

const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true, defaultViewport: WIDE });
for (const address of addresses) {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  const troubles = watch(page, new URL(address).origin);
  await page.goto(address);
  await page.mouse.move(2, 2); // somebody is there
  const widgets = [];
  for (const output of await page.$$(OUTPUTS)) {
    await output.evaluate((e) => e.scrollIntoView({ block: "center" }));
    const widget = await output.waitForSelector(".gu-live");
    await point(page, widget, [0.7, 0.4]);
    const used = await use(page, widget);
    const posters = await output.$$eval("img", (all) => all.filter((image) => image.checkVisibility()).length);
    const decoded = await widget.$$eval("canvas[data-z]", (all) =>
      all.map((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return { z: JSON.parse(canvas.dataset.z), pixels: [...data].filter((_, i) => i % 4 === 0) };
      }),
    );
    widgets.push({ backend: await widget.evaluate((e) => e.dataset.backend), posters, used, decoded });
  }
  await page.setViewport(PHONE);
  const wide = await page.evaluate(
    (width) =>
      [document.scrollingElement, ...document.querySelectorAll(".gu-widget, .gu-widget canvas")]
        .filter((e) => e.scrollWidth > width || e.getBoundingClientRect().right > width)
        .map((e) => e.className || e.tagName),
    PHONE.width,
  );
  console.log(JSON.stringify({ address, troubles, widgets, wide }));
  await page.close();
}
await browser.close();
