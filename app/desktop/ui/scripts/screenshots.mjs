// Pictures of every screen against invented data, in both languages, light and dark, wide and narrow: `npm run build:mock`,
// then `npm run screenshots [-- folder [names]]`, where names is a regular expression. Needs a Chromium (CHROMIUM names
// another than Debian's). Fails where a page is wider than its window, a row is not as high as it should be, or markup of a
// container ran.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";
import { preview } from "vite";

const [folder = "screenshots", only = ""] = process.argv.slice(2);
const wanted = new RegExp(`^(${only || ".*"})$`);
const SIZES = [[1280, 840], [800, 560]];
const go = (screen) => async (page) => page.click(`[data-screen="${screen}"]`);
const first = async (page) => page.locator("[data-row] b").first().click();
const tab = (name) => async (page) => { await go("containers")(page); await first(page); await page.click(`[data-tab="${name}"]`); };
const part = (name) => async (page) => page.click(`[data-part="${name}"]`);

/** Name, scene, and what to do before the picture. */
const PICTURES = [
  ["home", "running", async (page) => page.waitForSelector(".live.container")],
  ["home-part", "running", part("vsock")],
  ["home-linux", "linux", async (page) => page.waitForSelector(".live.container")],
  ["home-warning", "warning", async () => {}],
  ["home-stopped", "stopped", async () => {}],
  ["home-starting", "starting", async () => {}],
  ["home-failed", "failed", async () => {}],
  ["home-panic", "panic", async () => {}],
  ["home-lost", "lost", async () => {}],
  ["home-connecting", "connecting", async () => {}],
  ["containers", "running", go("containers")],
  ["containers-log", "running", tab("logs")],
  ["containers-details", "running", tab("details")],
  ["containers-walls", "running", tab("walls")],
  ["containers-remove", "running", async (page) => { await tab("logs")(page); await page.locator('aside [data-action="container-remove"]').click(); }],
  ["containers-search", "running", async (page) => { await go("containers")(page); await page.keyboard.press("/"); await page.keyboard.type("nothing"); }],
  ["containers-focus", "running", async (page) => { await go("containers")(page); await page.keyboard.press("/"); await page.keyboard.press("ArrowDown"); await page.keyboard.press("ArrowDown"); }],
  ["containers-many", "many", go("containers")],
  ["containers-empty", "empty", go("containers")],
  ["containers-loading", "slow", go("containers")],
  ["containers-failure", "failing", go("containers")],
  ["containers-stopped", "stopped", go("containers")],
  ["containers-starting", "starting", go("containers")],
  ["containers-failed", "failed", go("containers")],
  ["containers-hostile", "hostile", tab("logs")],
  ["containers-hostile-details", "hostile", tab("details")],
  ["images", "running", go("images")],
  ["images-details", "running", async (page) => { await go("images")(page); await first(page); }],
  ["images-empty", "empty", go("images")],
  ["images-stopped", "stopped", go("images")],
  ["images-hostile", "hostile", async (page) => { await go("images")(page); await page.locator("[data-row]").nth(2).click(); }],
  ["images-failure", "running", async (page) => { await go("images")(page); await first(page); await page.locator('aside [data-action="image-remove"]').click(); await page.click('[data-action="confirm"]'); await page.waitForSelector("[data-failure]"); }],
  ["settings", "running", async (page) => { await go("settings")(page); await page.waitForSelector("li.ok"); }],
  ["settings-wrong", "running", async (page) => { await go("settings")(page); await page.fill("#setting-memory", "64"); await page.fill("#setting-disk", "8"); }],
  ["settings-problem", "nonsense", async (page) => { await go("settings")(page); await page.waitForSelector("[data-failure]"); }],
  ["palette", "running", async (page) => { await page.keyboard.press("Control+k"); await page.fill("[data-palette]", "sho"); }],
];

/** What is wrong with the page as it stands, measured. */
function measure() {
  const faults = [];
  if ("__ran" in window) faults.push("markup of a container ran as a script");
  if (document.documentElement.scrollWidth > innerWidth) faults.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const main of document.querySelectorAll("main, aside, nav, .home, .settings")) {
    if (main.scrollWidth > main.clientWidth + 1) faults.push(`${main.localName} ${main.className} is ${main.scrollWidth - main.clientWidth} too wide`);
  }
  const [pane, main] = [document.querySelector("aside"), document.querySelector("main")];
  if (pane && main && innerWidth < 960 && pane.clientWidth !== main.clientWidth) faults.push(`the pane is no page: ${pane.clientWidth} of ${main.clientWidth}`);
  for (const row of document.querySelectorAll("[data-row]")) {
    // A list behind a page of details is not drawn.
    if (row.offsetParent === null) continue;
    if (row.getBoundingClientRect().height !== 48 || row.scrollWidth > row.clientWidth) faults.push(`a row is ${row.getBoundingClientRect().height} high and ${row.scrollWidth} of ${row.clientWidth} wide`);
  }
  for (const line of document.querySelectorAll("[data-log] .line")) {
    if (line.getBoundingClientRect().height !== 20) faults.push(`a line of the log is ${line.getBoundingClientRect().height} high`);
  }
  return faults;
}

mkdirSync(folder, { recursive: true });
const { csp } = JSON.parse(readFileSync(new URL("../../tauri.conf.json", import.meta.url), "utf8")).app.security;
const server = await preview({ build: { outDir: "dist-mock" }, preview: { port: 4173, headers: { "Content-Security-Policy": csp } }, logLevel: "warn" });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
let faulty = false;
try {
  for (const language of ["en", "ko"]) {
    for (const theme of ["light", "dark"]) {
      for (const [width, height] of SIZES) {
        const context = await browser.newContext({ viewport: { width, height }, reducedMotion: "reduce" });
        for (const [name, scene, act] of PICTURES) {
          const called = `${name}-${language}-${theme}-${width}`;
          if (!wanted.test(name) && !wanted.test(called)) continue;
          const page = await context.newPage();
          const faults = [];
          page.on("pageerror", (error) => faults.push(error.message));
          page.on("console", (message) => { if (message.type() === "error" && !message.location().url.endsWith("favicon.ico")) faults.push(message.text()); });
          await page.goto(`http://localhost:4173/?scene=${scene}&theme=${theme}&language=${language}`);
          await page.waitForSelector("[data-machine]");
          if (scene !== "slow" && scene !== "connecting") await page.waitForFunction(() => !document.querySelector('main [role="status"]'));
          await act(page);
          // Fonts, and what was asked for last.
          await page.evaluate(() => document.fonts.ready);
          await page.waitForTimeout(250);
          faults.push(...(await page.evaluate(measure)));
          for (const fault of faults) console.error(`${called}: ${fault}`);
          faulty ||= faults.length > 0;
          await page.screenshot({ path: join(folder, `${called}.png`) });
          await page.close();
        }
        await context.close();
      }
    }
  }
} finally {
  await browser.close();
  await server.close();
}
if (faulty) process.exitCode = 1;
