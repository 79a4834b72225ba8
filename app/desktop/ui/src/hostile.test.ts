/** What containers, images and their programs are called and write changes neither the page nor what runs in it. */

import { afterEach, expect, test, vi } from "vitest";

import { cut, visible } from "./format/untrusted";
import { open, type Opened } from "./mock/open";

let page: Opened | undefined;
afterEach(async () => {
  await page?.close();
  page = undefined;
});

/** Nothing of what was written became an element, an attribute with a script, or a mark that turns text. */
function harmless(): void {
  expect("__ran" in window).toBe(false);
  expect(document.querySelectorAll("#app script, #app img, #app a, #app iframe, #app svg script").length).toBe(0);
  for (const element of document.querySelectorAll("#app *")) {
    for (const { name, value } of element.attributes) {
      expect(name.startsWith("on"), `${element.localName} has ${name}`).toBe(false);
      expect(value.length, `${element.localName} ${name}`).toBeLessThan(20_000);
      if (name !== "data-row") expect(value).not.toMatch(/^javascript:/i);
    }
  }
  const text = document.getElementById("app")?.textContent ?? "";
  expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b\u0000\u0007\u001b]/);
  expect(text).not.toMatch(/\p{M}{5}/u);
  expect(text.length).toBeLessThan(200_000);
}

test("names of containers", async () => {
  page = await open("hostile");
  await page.press("2", { ctrlKey: true });
  await page.until("all rows", () => document.querySelectorAll("[data-row]").length === 7);
  harmless();
  expect(document.querySelector("[data-row] b")?.textContent).toContain("<img src=x onerror=");
  for (const row of document.querySelectorAll<HTMLElement>("[data-row]")) {
    row.click();
    for (const tab of ["details", "walls", "logs"]) {
      (await page.find(`[data-tab="${tab}"]`)).click();
      await page.until(tab, () => document.querySelector("[role=tabpanel]")?.textContent.trim());
      harmless();
    }
  }
});

test("lines of a log", async () => {
  page = await open("hostile");
  await page.press("2", { ctrlKey: true });
  (await page.find("[data-row]")).click();
  await page.until("the log", () => document.querySelectorAll("[data-log] .line").length >= 14);
  harmless();
  const lines = [...document.querySelectorAll("[data-log] .line")].map(({ textContent }) => textContent);
  expect(lines[0]).toContain("<script>window.__ran=1</script>");
  expect(lines[1]).toBe("‹U+202E›right to left‹U+202C› and back");
  expect(lines[2]).toBe("cleared");
  expect(lines[4]).toContain("1 MB");
  expect(lines.find((line) => line.startsWith("f"))).toMatch(/^f\p{M}{4}‹\+\d+›/u);
  expect(lines).toContain("link");
});

test("names of images, and an error that quotes one", async () => {
  page = await open("hostile");
  await page.press("3", { ctrlKey: true });
  await page.until("all rows", () => document.querySelectorAll("[data-row]").length === 4);
  harmless();
  for (const row of document.querySelectorAll<HTMLElement>("[data-row]")) {
    row.click();
    await page.find("aside dl");
    harmless();
  }
  (await page.find("[data-row]")).click();
  (await page.find('aside [data-action="image-remove"]')).click();
  harmless();
  (await page.find('[data-action="confirm"]')).click();
  await page.find("[data-failure]");
  harmless();
});

test("the palette", async () => {
  page = await open("hostile");
  await page.until("the lists", () => document.querySelector('[data-screen="images"] .count'));
  await page.press("k", { ctrlKey: true });
  await page.until("commands", () => document.querySelectorAll("[role=option]").length > 20);
  harmless();
});

test("what is copied of a long line is the whole line", async () => {
  const copied = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
  page = await open("hostile");
  vi.spyOn(navigator.clipboard, "writeText").mockImplementation(copied);
  await page.press("2", { ctrlKey: true });
  (await page.find("[data-row]")).click();
  (await page.find("[data-log] .rest")).click();
  await page.until("the copy", () => copied.mock.calls.length > 0);
  expect(copied.mock.calls[0]?.[0].length).toBe(1 << 20);
});

test("a flood of marks is counted, and writing that needs marks is whole", () => {
  expect(visible(`a${"\u0301".repeat(10)}b`)).toBe(`a${"\u0301".repeat(4)}‹+6›b`);
  for (const word of ["Tiếng Việt", "שָׁלוֹם", "ภาษาไทยที่นี่", "हिन्दी", "한글", "\u1112\u1161\u11ab"]) expect(visible(word)).toBe(word);
});

test("what is not drawn is said", () => {
  expect(visible("\u00ad\u3164\u{e0041}\u2066\ufeff")).toBe("‹U+00AD›‹U+3164›‹U+E0041›‹U+2066›‹U+FEFF›");
});

test("cutting leaves no half of a character", () => {
  expect(cut("a👍b", 2)).toBe("a…");
  expect(cut("a👍b", 3)).toBe("a👍…");
});
