// How fast the first content comes: from the start of the navigation to the first contentful paint, in Chromium, against
// the mock (`npm run build:mock`), under the policy of tauri.conf.json; and what that cost the page's thread, which a busy
// computer does not change.
import { readFileSync } from "node:fs";

import { chromium } from "playwright-core";
import { preview } from "vite";

const RUNS = 11;
const { csp } = JSON.parse(readFileSync(new URL("../../tauri.conf.json", import.meta.url), "utf8")).app.security;
const server = await preview({ build: { outDir: "dist-mock" }, preview: { port: 4174, headers: { "Content-Security-Policy": csp } }, logLevel: "warn" });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const paints = [];
const costs = [];
let refused = 0;
try {
  for (let run = 0; run < RUNS; run += 1) {
    const page = await browser.newPage({ viewport: { width: 1100, height: 720 } });
    page.on("console", (message) => { if (/Content Security Policy/.test(message.text())) { refused += 1; console.error(message.text()); } });
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.goto("http://localhost:4174/?scene=running");
    await page.waitForSelector(".live.container");
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    const { metrics } = await session.send("Performance.getMetrics");
    costs.push(1000 * metrics.find(({ name }) => name === "TaskDuration").value);
    await page.close();
  }
} finally {
  await browser.close();
  await server.close();
}
for (const list of [paints, costs]) list.sort((a, b) => a - b);
console.log(`first contentful paint of ${RUNS} runs: median ${paints[RUNS >> 1].toFixed(0)} ms, best ${paints[0].toFixed(0)} ms, worst ${paints[RUNS - 1].toFixed(0)} ms`);
console.log(`processor time of the page's thread until everything is drawn: median ${costs[RUNS >> 1].toFixed(0)} ms`);
if (refused > 0) process.exit(1);
