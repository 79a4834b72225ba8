import { expect, test } from "vitest";

import { evenSlice, offsets, scrollFor, slice } from "./rows";

test("only rows in view and the spare ones are drawn", () => {
  const at = offsets(Array.from({ length: 500 }, () => 48));
  const { first, end, top, height } = slice(at, 4800, 480, 2);
  expect([first, end, top, height]).toEqual([98, 113, 98 * 48, 24_000]);
});

test("every pixel of the viewport is covered, wherever it is", () => {
  const at = offsets(Array.from({ length: 101 }, (_, index) => (index % 7 === 0 ? 28 : 48)));
  for (let scroll = -50; scroll < 6000; scroll += 13) {
    const { first, end, height } = slice(at, scroll, 300, 0);
    const seen = Math.min(Math.max(0, scroll), height - 300);
    expect(at[first]).toBeLessThanOrEqual(seen);
    expect(at[end]).toBeGreaterThanOrEqual(seen + 300);
  }
});

test("an empty list and one smaller than the view have no negative rows", () => {
  expect(slice(offsets([]), 0, 300, 4)).toMatchObject({ first: 0, end: 0, height: 0 });
  expect(evenSlice(3, 20, 900, 300, 4)).toEqual({ first: 0, end: 3, top: 0, height: 60 });
});

test("a hundred thousand lines cost a screenful", () => {
  const { first, end } = evenSlice(100_000, 20, 1_999_900, 400, 8);
  expect(end - first).toBeLessThan(45);
  expect(end).toBe(100_000);
});

test("scrolls no more than needed", () => {
  expect([scrollFor(0, 48, 100, 300), scrollFor(380, 428, 100, 300), scrollFor(120, 168, 100, 300)]).toEqual([0, 128, 100]);
});
