// Lighthouse's scores, as a line of JSON for each address: node tests/lighthouse.mjs CHROMIUM ADDRESS…
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const [chromePath, ...addresses] = process.argv.slice(2);
const chromeFlags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];
const settings = {
  onlyCategories: ["accessibility", "best-practices", "seo"],
  throttlingMethod: "simulate", // nobody asks for times, and to throttle in earnest takes some
  disableFullPageScreenshot: true,
};
const chrome = await launch({ chromePath, chromeFlags });
for (const address of addresses) {
  const { lhr } = await lighthouse(address, { port: chrome.port, logLevel: "error", ...settings });
  const scores = Object.values(lhr.categories).map(({ id, score }) => [id, score]);
  const failed = Object.values(lhr.audits).filter(({ score }) => score !== null && score < 1);
  console.log(JSON.stringify({ address, scores: Object.fromEntries(scores), failed: failed.map(({ id }) => id) }));
}
await chrome.kill();
