/** Opens the whole window over the mock, for tests: a document without layout, so heights are given. */

import type { DetachedWindowAPI } from "happy-dom";
import { vi } from "vitest";

import type { Bridge } from "../bridge";

declare global {
  interface Window {
    happyDOM: DetachedWindowAPI;
  }
}

export interface Opened {
  bridge: Bridge;
  /** Waits until the page says so; the message names what did not come. */
  until: <T>(what: string, look: () => T) => Promise<NonNullable<T>>;
  find: <T extends HTMLElement = HTMLElement>(selector: string) => Promise<T>;
  press: (key: string, rest?: KeyboardEventInit) => Promise<void>;
  /** What screen readers were told so far. */
  spoken: string[];
  close: () => Promise<void>;
}

/** As high as a list or a log is seen. */
export const VIEW = 600;

export async function open(scene: string, parameters: Record<string, string> = {}): Promise<Opened> {
  vi.resetModules();
  localStorage.clear();
  document.body.innerHTML = '<div id="app"></div>';
  window.happyDOM.setURL(`http://localhost/?${new URLSearchParams({ scene, step: "1", ...parameters }).toString()}`);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(VIEW);
  // Everything moves at once, as for a user who asked for that.
  window.happyDOM.settings.device.prefersReducedMotion = "reduce";

  const { flushSync, mount, tick, unmount } = await import("svelte");
  const { setBridge } = await import("../bridge");
  const { mock } = await import("./bridge");
  setBridge(mock);
  const { default: App } = await import("../App.svelte");
  const target = document.getElementById("app");
  if (target === null) throw new Error("there is no place to draw in");
  const app = mount(App, { target });
  flushSync();

  const until: Opened["until"] = async (what, look) =>
    vi.waitFor(() => {
      const found = look();
      if (found === null || found === undefined || found === false) throw new Error(`${what} did not come`);
      return found;
    }, { timeout: 3000, interval: 5 });
  const find = async <T extends HTMLElement>(selector: string): Promise<T> => until(selector, () => document.querySelector<T>(selector));

  const spoken: string[] = [];
  new MutationObserver((records) => {
    for (const { addedNodes } of records) for (const node of addedNodes) spoken.push(node.textContent ?? "");
  }).observe(await find("[data-spoken]"), { childList: true });
  for (const said of document.querySelectorAll("[data-spoken] p")) spoken.push(said.textContent);

  return {
    bridge: mock,
    until,
    find,
    spoken,
    press: async (key, rest = {}) => {
      const on = document.activeElement ?? document.body;
      on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...rest }));
      // What the browser itself does with a key.
      if (key === "Escape" && on.closest("dialog") !== null) on.closest("dialog")?.dispatchEvent(new Event("cancel", { cancelable: true }));
      if (key === "Enter" && on instanceof HTMLButtonElement) on.click();
      await tick();
    },
    close: async () => {
      await unmount(app);
      vi.restoreAllMocks();
    },
  };
}
