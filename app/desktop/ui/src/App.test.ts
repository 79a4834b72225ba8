import { afterEach, expect, test } from "vitest";

import { open, VIEW, type Opened } from "./mock/open";

let page: Opened;
afterEach(() => page.close());

const active = (): string => document.activeElement?.outerHTML.slice(0, 200) ?? "";
const screen = (): string | null | undefined => document.querySelector("nav [aria-current]")?.getAttribute("data-screen");

test("Ctrl-K opens the palette, typing finds, Enter does it, and Esc closes", async () => {
  page = await open("running");
  await page.press("k", { ctrlKey: true });
  const field = await page.find<HTMLInputElement>("[data-palette]");
  expect(document.activeElement, active()).toBe(field);
  field.value = "images";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await page.press("Enter");
  await page.until("the screen of images", () => screen() === "images");
  expect(document.querySelector("[data-palette]")).toBeNull();

  await page.press("k", { ctrlKey: true });
  await page.find("[data-palette]");
  await page.press("Escape");
  await page.until("the end of the palette", () => document.querySelector("[data-palette]") === null);
});

test("the palette offers every action there is", async () => {
  page = await open("running");
  await page.until("the lists", () => document.querySelector('[data-screen="images"] .count'));
  await page.press("k", { ctrlKey: true });
  await page.find("[data-palette]");
  const names = [...document.querySelectorAll("#commands [role=option]")].map(({ textContent }) => textContent.trim());
  for (const name of ["Stop the machine", "Restart the machine", "Show the log of shop-web", "Stop shop-web", "Start hello", "Remove hello…", "Load an image…", "Run postgres:17", "한국어로 보기"]) {
    expect(names).toContain(name);
  }
});

test("the list is used by keyboard alone: slash, arrows, Enter, Delete, Esc", async () => {
  page = await open("running");
  await page.press("2", { ctrlKey: true });
  await page.find("[data-row]");
  await page.press("/");
  const search = await page.find<HTMLInputElement>("[data-search]");
  expect(document.activeElement, active()).toBe(search);
  // In a text a slash is a slash.
  await page.press("/");
  expect(document.activeElement).toBe(search);
  await page.press("ArrowDown");
  const list = await page.find("[data-list]");
  expect(document.activeElement, active()).toBe(list);
  const cursor = (): string | null => list.getAttribute("aria-activedescendant");
  await page.press("Home");
  const first = cursor();
  await page.press("ArrowDown");
  expect(cursor()).not.toBe(first);
  expect(document.getElementById(cursor() ?? "")?.textContent).toContain("shop-db");
  await page.press("Enter");
  await page.until("the pane of shop-db", () => document.querySelector("aside h1")?.textContent === "shop-db");
  await page.press("Delete");
  const dialog = await page.find("dialog");
  expect(dialog.textContent).toContain("Remove shop-db?");
  dialog.querySelector("button")?.focus();
  await page.press("Escape");
  await page.until("the end of the dialog", () => document.querySelector("dialog") === null);
  expect(document.querySelector("aside"), "Esc closes one thing at a time").not.toBeNull();
  await page.press("Escape");
  await page.until("the end of the pane", () => document.querySelector("aside") === null);
});

test("the first Esc in a search empties it and the next leaves it", async () => {
  page = await open("running");
  await page.press("2", { ctrlKey: true });
  await page.press("/", {});
  const search = await page.find<HTMLInputElement>("[data-search]");
  search.focus();
  search.value = "nothing like that";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  await page.until("the empty answer", () => document.querySelector("main")?.textContent.includes("No container matches"));
  await page.press("Escape");
  expect(search.value).toBe("");
  expect(document.activeElement).toBe(search);
  await page.press("Escape");
  expect(document.activeElement).not.toBe(search);
});

test("screen readers hear the machine and the containers change", async () => {
  page = await open("running");
  await page.until("the state at the beginning", () => page.spoken.includes("Machine: Running"));
  await page.until("the containers", () => document.querySelector('[data-screen="containers"] .count'));
  const [container] = await page.bridge.call("containers_list");
  await page.bridge.call("container_stop", { id: container?.id ?? "" });
  await page.until("the container's news", () => page.spoken.includes("shop-web: Finished"));
  await page.bridge.call("machine_stop");
  await page.until("the end", () => page.spoken.includes("Machine: Stopped"));
  expect(page.spoken).toContain("Machine: Stopping");
  await page.bridge.call("machine_start");
  await page.until("the new start", () => page.spoken.filter((text) => text === "Machine: Running").length === 2);
});

test("five hundred containers cost a screenful", async () => {
  page = await open("many");
  await page.press("2", { ctrlKey: true });
  await page.find("[data-row]");
  const rows = (): number => document.querySelectorAll("[data-row]").length;
  const most = Math.ceil(VIEW / 48) + 10;
  expect(document.querySelector("[data-list]")?.getAttribute("aria-rowcount")).toBe("500");
  expect(rows()).toBeGreaterThanOrEqual(VIEW / 48 - 1);
  expect(rows()).toBeLessThan(most);
  expect(document.querySelectorAll("*").length).toBeLessThan(2000);

  const list = await page.find("[data-list]");
  list.focus();
  await page.press("End");
  // A document without layout tells nobody that it was scrolled.
  list.dispatchEvent(new Event("scroll"));
  await page.until("the last row", () => document.querySelector("[data-list]")?.textContent.includes("worker-500"));
  expect(rows()).toBeLessThan(most);
});

test("a log of a hundred thousand lines costs a screenful, at its end and anywhere", async () => {
  page = await open("running", { lines: "100000" });
  await page.press("2", { ctrlKey: true });
  (await page.find("[data-row]")).click();
  const lines = (): number => document.querySelectorAll("[data-log] .line").length;
  await page.until("all lines", () => document.querySelector("[data-log]")?.textContent.includes("100,000 lines"));
  const view = await page.find("[role=log][tabindex]");
  expect(lines()).toBeGreaterThanOrEqual(VIEW / 20 - 1);
  expect(lines()).toBeLessThan(VIEW / 20 + 20);
  const last = document.querySelector("[data-log] .line:last-child")?.textContent;
  view.scrollTop = 1_000_000;
  view.dispatchEvent(new Event("scroll"));
  await page.until("other lines", () => document.querySelector("[data-log] .line:last-child")?.textContent !== last);
  expect(lines()).toBeLessThan(VIEW / 20 + 20);
});

const loginBox = async (): Promise<HTMLInputElement> => {
  await page.press("4", { ctrlKey: true });
  const box = await page.find<HTMLInputElement>("[data-action=login]");
  await page.until("what the system says", () => !box.disabled);
  return box;
};

test("start at login is switched on, and is still on when the screen is opened again", async () => {
  page = await open("running");
  const box = await loginBox();
  expect(box.checked).toBe(false);
  box.click();
  await page.until("the call", () => box.disabled);
  await page.until("its end", () => !box.disabled);
  expect(box.checked).toBe(true);
  await page.press("1", { ctrlKey: true });
  expect((await loginBox()).checked).toBe(true);
});

test("start at login that cannot be changed says why and stays as it was", async () => {
  page = await open("failing");
  const box = await loginBox();
  box.click();
  await page.until("the reason", () => document.body.textContent.includes("read-only file system"));
  await page.until("the box as it was", () => !box.checked && !box.disabled);
});
