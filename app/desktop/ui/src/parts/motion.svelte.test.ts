/** What moves, and that nothing does for a user who asked for that. */

import { flushSync, mount, unmount, type Component } from "svelte";
import { createRawSnippet } from "svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import Rolling from "./Rolling.svelte";
import Swap from "./Swap.svelte";

/** How long what moves takes, in milliseconds. */
const moved: unknown[] = [];
beforeEach(() => {
  moved.length = 0;
  // This document draws nothing; what would be moved is noted, and ends at once.
  Element.prototype.animate = vi.fn((_: unknown, { duration }: KeyframeAnimationOptions) => {
    moved.push(duration);
    const animation = { cancel: () => undefined, currentTime: 0, effect: null, onfinish: null as (() => void) | null };
    queueMicrotask(() => animation.onfinish?.());
    return animation as unknown as Animation;
  });
});

let shown: Record<string, unknown> | undefined;
afterEach(async () => {
  if (shown) await unmount(shown);
  shown = undefined;
});

function show<Props extends Record<string, unknown>>(component: Component<Props>, props: Props): HTMLElement {
  document.body.innerHTML = "";
  shown = mount(component, { target: document.body, props });
  flushSync();
  return document.body;
}

test("a digit stays its element when it changes, and ones stay ones when a digit is added", () => {
  const props = $state({ text: "9 MB" });
  const page = show(Rolling, props);
  const digits = (): Element[] => [...page.querySelectorAll(".digit")];
  const [ones] = digits();
  props.text = "12 MB";
  flushSync();
  expect(page.textContent).toBe("12 MB");
  expect(digits()).toHaveLength(2);
  expect(digits()[1]).toBe(ones);
  expect((ones as HTMLElement).style.getPropertyValue("--at")).toBe("2");
});

const word = createRawSnippet(() => ({ render: () => "<b>now</b>" }));

test("a state cross-fades with the one before it in 120 ms", async () => {
  window.happyDOM.settings.device.prefersReducedMotion = "no-preference";
  const props = $state({ state: "stopped", children: word });
  const page = show(Swap, props);
  expect(page.querySelectorAll("b")).toHaveLength(1);
  expect(moved, "what is there from the beginning does not fade in").toEqual([]);
  props.state = "running";
  flushSync();
  expect(page.querySelectorAll("b"), "the old and the new").toHaveLength(2);
  await vi.waitFor(() => expect(moved.filter((duration) => duration === 120)).toHaveLength(2));
});

test("nothing fades for a user who asked for less motion", async () => {
  window.happyDOM.settings.device.prefersReducedMotion = "reduce";
  const props = $state({ state: "stopped", children: word });
  const page = show(Swap, props);
  props.state = "running";
  flushSync();
  await vi.waitFor(() => expect(page.querySelectorAll("b")).toHaveLength(1));
  expect(moved.filter((duration) => duration !== 0)).toEqual([]);
});
