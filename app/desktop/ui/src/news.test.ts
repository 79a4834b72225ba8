/** What the window asks for, and when. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Commands } from "./bridge";
import { containers } from "./mock/scenes";
import { open, type Opened } from "./mock/open";
import { Latest } from "./state/latest";

let page: Opened | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  hide(false);
});
afterEach(async () => {
  await page?.close();
  page = undefined;
  vi.useRealTimers();
});

function hide(hidden: boolean): void {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}

/** The window, when everything is answered that it asks for at the beginning. */
async function quiet(scene: string): Promise<Opened> {
  page = await open(scene);
  await vi.advanceTimersByTimeAsync(2000);
  vi.spyOn(page.bridge, "call");
  return page;
}
/** What happens in the engine, whoever made it happen. */
async function happens<K extends "container_stop" | "container_run">(opened: Opened, command: K, argument: Commands[K][0]): Promise<void> {
  const call = opened.bridge.call as (command: K, argument: Commands[K][0]) => Promise<unknown>;
  const done = call(command, argument);
  await vi.advanceTimersByTimeAsync(1000);
  await done;
}
function sinceThen(opened: Opened): (keyof Commands)[] {
  return vi.mocked(opened.bridge.call).mock.calls.map(([command]) => command);
}

test("nothing is asked for while nothing happens, seen or hidden", async () => {
  const opened = await quiet("running");
  await vi.advanceTimersByTimeAsync(120_000);
  expect(sinceThen(opened)).toEqual([]);
  hide(true);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(sinceThen(opened)).toEqual([]);
  expect(vi.getTimerCount(), "no timer runs in a hidden window").toBe(0);
});

test("news while hidden are asked for when somebody comes back", async () => {
  const opened = await quiet("running");
  hide(true);
  await happens(opened, "container_stop", { id: containers[0]?.id ?? "" });
  expect(sinceThen(opened)).not.toContain("guest_get");
  hide(false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(sinceThen(opened)).toEqual(expect.arrayContaining(["guest_get", "images_list"]));
});

test("the numbers follow the containers", async () => {
  const opened = await quiet("running");
  await happens(opened, "container_stop", { id: containers[0]?.id ?? "" });
  expect(sinceThen(opened)).toContain("guest_get");
  expect(sinceThen(opened), "the same containers come from the same images").not.toContain("images_list");
});

test("a container from another image, the focus, and the list itself bring the images", async () => {
  const opened = await quiet("running");
  await happens(opened, "container_run", { image: "cove/hello:latest" });
  expect(sinceThen(opened)).toContain("images_list");
  vi.mocked(opened.bridge.call).mockClear();
  window.dispatchEvent(new Event("focus"));
  await vi.advanceTimersByTimeAsync(1000);
  expect(sinceThen(opened)).toContain("images_list");
  vi.mocked(opened.bridge.call).mockClear();
  await opened.press("3", { ctrlKey: true });
  await vi.advanceTimersByTimeAsync(1000);
  expect(sinceThen(opened)).toEqual(["images_list"]);
});

test("a log is read only while it is seen, and anew afterwards", async () => {
  const opened = await quiet("running");
  await opened.press("2", { ctrlKey: true });
  await vi.advanceTimersByTimeAsync(500);
  document.querySelector<HTMLElement>("[data-row]")?.click();
  await vi.advanceTimersByTimeAsync(500);
  const lines = (): string => document.querySelector("[data-log]")?.textContent ?? "";
  expect(lines()).toContain("400 lines");
  hide(true);
  await vi.advanceTimersByTimeAsync(500);
  expect(sinceThen(opened)).toContain("logs_close");
  vi.mocked(opened.bridge.call).mockClear();
  expect(lines(), "what was read stays").toContain("400 lines");
  hide(false);
  await vi.advanceTimersByTimeAsync(500);
  expect(sinceThen(opened).filter((command) => command.startsWith("logs"))).toEqual(["logs_open"]);
  expect(lines(), "and is not there twice").toContain("400 lines");
});

test("a daemon that dies while it is asked for something: both are said, and nothing old is shown as if it were true", async () => {
  const opened = await quiet("dying");
  document.querySelector<HTMLElement>('main [data-action="stop"]')?.click();
  await vi.advanceTimersByTimeAsync(1000);
  expect(document.querySelector("main [data-failure]")?.textContent).toContain("coved was stopped or died");
  expect(document.querySelector("[data-machine]")?.getAttribute("data-machine")).toBe("unspecified");
  expect(document.querySelector("nav")?.textContent).toContain("Not connected");
  expect(document.querySelectorAll("[data-failure]")).toHaveLength(2);
  document.querySelector<HTMLElement>('[data-action="reconnect"]')?.click();
  await vi.advanceTimersByTimeAsync(1000);
  expect(document.querySelector("[data-machine]")?.getAttribute("data-machine")).toBe("running");
  expect(sinceThen(opened)).toContain("containers_list");
});

test("settings that cannot be used are said, and set back by a button", async () => {
  const opened = await quiet("nonsense");
  await opened.press("4", { ctrlKey: true });
  await vi.advanceTimersByTimeAsync(1000);
  const note = document.querySelector("[data-failure]");
  expect(note?.textContent).toContain("four");
  expect(note?.textContent).toContain("/Users/mina/.cove/machine.toml");
  document.querySelector<HTMLElement>('[data-action="settings-reset"]')?.click();
  await vi.advanceTimersByTimeAsync(1000);
  expect(opened.bridge.call).toHaveBeenCalledWith("settings_set", { cpus: 4, memoryBytes: 2 ** 32, diskBytes: 2 ** 36 });
  expect(document.querySelector("[data-failure]")).toBeNull();
});

test("a late answer never wins over a newer one, nor a late failure", async () => {
  const latest = new Latest();
  const answers: ((value: string) => void)[] = [];
  const taken: string[] = [];
  const ask = (): Promise<void> =>
    latest.ask(() => new Promise<string>((resolve) => answers.push(resolve)), (answer) => taken.push(answer), (thrown) => taken.push(String(thrown)));
  const both = [ask(), ask()];
  answers[1]?.("new");
  answers[0]?.("old");
  await Promise.all(both);
  expect(taken).toEqual(["new"]);

  const failing = latest.ask(() => Promise.reject(new Error("too late")), () => undefined, (thrown) => taken.push(String(thrown)));
  latest.overtake();
  await failing;
  expect(taken).toEqual(["new"]);
});
