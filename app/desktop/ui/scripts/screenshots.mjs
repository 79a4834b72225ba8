// Pictures of every screen against invented data, light and dark, wide and narrow: `npm run build:mock`, then
// `npm run screenshots [-- folder [name]]`. Needs a Chromium (CHROMIUM names another than Debian's).
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";
import { preview } from "vite";

const [folder = "screenshots", only] = process.argv.slice(2);
const SIZES = [[1280, 840], [800, 560]];
const go = (screen) => async (page) => page.click(`[data-screen="${screen}"]`);
const first = async (page) => page.locator("[data-row] b").first().click();

/** Name, scene, and what to do before the picture. */
const PICTURES = [
  ["home", "running", async (page) => page.waitForSelector(".live.container")],
  ["home-part", "running", async (page) => page.click('[data-part="vsock"]')],
  ["home-stopped", "stopped", async () => {}],
  ["home-starting", "starting", async () => {}],
  ["home-failed", "failed", async () => {}],
  ["home-lost", "lost", async () => {}],
  ["containers", "running", go("containers")],
  ["containers-log", "running", async (page) => { await go("containers")(page); await first(page); }],
  ["containers-details", "running", async (page) => { await go("containers")(page); await first(page); await page.click('[data-tab="details"]'); }],
  ["containers-walls", "running", async (page) => { await go("containers")(page); await first(page); await page.click('[data-tab="walls"]'); }],
  ["containers-remove", "running", async (page) => { await go("containers")(page); await first(page); await page.locator('aside [data-action="container-remove"]').click(); }],
  ["containers-empty", "empty", go("containers")],
  ["containers-stopped", "stopped", go("containers")],
  ["containers-hostile", "hostile", async (page) => { await go("containers")(page); await first(page); }],
  ["images", "running", go("images")],
  ["images-details", "running", async (page) => { await go("images")(page); await first(page); }],
  ["images-empty", "empty", go("images")],
  ["images-failure", "running", async (page) => { await go("images")(page); await first(page); await page.locator('aside [data-action="image-remove"]').click(); await page.click('[data-action="confirm"]'); await page.waitForSelector("[data-failure]"); }],
  ["settings", "running", async (page) => { await go("settings")(page); await page.waitForSelector("li.ok"); }],
  ["settings-wrong", "running", async (page) => { await go("settings")(page); await page.fill("#setting-memory", "64"); await page.fill("#setting-disk", "8"); }],
  ["palette", "running", async (page) => { await page.keyboard.press("Control+k"); await page.fill("[data-palette]", "sho"); }],
  ["home-korean", "running", async (page) => page.waitForSelector(".live.container"), "ko"],
  ["containers-korean", "running", async (page) => { await go("containers")(page); await first(page); await page.click('[data-tab="walls"]'); }, "ko"],
  ["settings-korean", "running", async (page) => { await go("settings")(page); await page.waitForSelector("li.ok"); }, "ko"],
];

mkdirSync(folder, { recursive: true });
const server = await preview({ build: { outDir: "dist-mock" }, preview: { port: 4173 }, logLevel: "warn" });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const [name, scene, act, language = "en"] of PICTURES) {
    if (only && !new RegExp(`^(${only})`).test(name)) continue;
    for (const theme of ["light", "dark"]) {
      for (const [width, height] of SIZES) {
        const context = await browser.newContext({ viewport: { width, height }, reducedMotion: "reduce" });
        const page = await context.newPage();
        page.on("pageerror", (error) => console.error(`${name}: ${error.message}`));
        await page.goto(`http://localhost:4173/?scene=${scene}&theme=${theme}&language=${language}`);
        await page.waitForSelector("[data-machine]");
        await page.waitForTimeout(150);
        await act(page);
        await page.waitForTimeout(250);
        if (await page.evaluate(() => "__ran" in window)) throw new Error(`${name}: markup of a container ran as a script`);
        await page.screenshot({ path: join(folder, `${name}-${theme}-${width}.png`) });
        await context.close();
      }
    }
  }
} finally {
  await browser.close();
  await server.close();
}
