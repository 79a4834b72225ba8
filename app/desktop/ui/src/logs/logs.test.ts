import { describe, expect, test } from "vitest";

import type { LogEntry } from "../bridge";
import { plain, runs } from "./ansi";
import { Lines, MOST_CHARACTERS } from "./lines";

const entry = (text: string, rest: Partial<LogEntry> = {}): LogEntry => ({ stream: "stdout", time: null, text, continues: false, ...rest });

describe("lines", () => {
  test("parts of a long line become one, though the other stream writes between them", () => {
    const lines = new Lines();
    lines.add([entry("a"), entry("!", { stream: "stderr" }), entry("b", { continues: true })]);
    expect(lines.all.map(({ text }) => text)).toEqual(["ab", "!"]);
  });
  test("the oldest fall off, and are counted", () => {
    const lines = new Lines(100);
    lines.add(Array.from({ length: 150 }, (_, at) => entry(String(at))));
    expect([lines.all.length, lines.dropped, lines.all[0]?.text]).toEqual([100, 50, "50"]);
  });
  test("a line that never ends is kept in part", () => {
    const lines = new Lines();
    for (let at = 0; at < 5; at += 1) lines.add([entry("x".repeat(MOST_CHARACTERS / 2), { continues: at > 0 })]);
    expect(lines.all[0]?.text.length).toBe(MOST_CHARACTERS);
  });
});

describe("terminal control", () => {
  test("colours become runs", () => {
    expect(runs("\u001b[1;31mred\u001b[0m ink")).toEqual([
      { text: "red", colour: 1, bold: true, faint: false },
      { text: " ink", colour: null, bold: false, faint: false },
    ]);
  });
  test("everything else is taken out", () => {
    expect(plain("\u001b[2J\u001b[H\u001b]0;title\u0007a\u001b]8;;http://x\u001b\\b\u001b[?25lc\u001b(Bd\u001b")).toBe("abcd");
  });
  test("broken sequences neither throw nor hang", () => {
    expect(plain("\u001b[99999999999999999m\u001b[38;5m\u001b[38m\u001b[")).toBe("");
    expect(runs("\u001b]".repeat(20_000)).length).toBeLessThan(20_001);
  });
});
