import { describe, expect, test } from "vitest";

import { binary, bytes, micros, shortId } from "./quantities";
import { lasting, parse, relative } from "./times";
import { commandLine, cut, visible } from "./untrusted";

describe("quantities", () => {
  test("sizes are decimal and have three digits at most", () => {
    expect([0, 999, 1000, 12_345_678, 999_600_000, 3.41e9].map(bytes)).toEqual(["0 B", "999 B", "1 kB", "12.3 MB", "1 GB", "3.4 GB"]);
  });
  test("memory is said as in shops", () => {
    expect([2 ** 28, 2 ** 32, 1.5 * 2 ** 30, 2 ** 41].map(binary)).toEqual(["256 MB", "4 GB", "1.5 GB", "2 TB"]);
  });
  test("short times keep a digit where it says something", () => {
    expect([410, 1240, 48_000, 2_300_000].map(micros)).toEqual(["410 µs", "1.2 ms", "48 ms", "2.3 s"]);
  });
  test("an id is shortened without its algorithm", () => {
    expect(shortId("sha256:0123456789abcdef")).toBe("0123456789ab");
  });
});

describe("times", () => {
  const now = Date.parse("2026-11-24T12:00:00Z");
  test("are relative in the largest unit that fits", () => {
    expect(relative(now - 3 * 60_000, now, "en")).toBe("3 minutes ago");
    expect(relative(now - 26 * 3_600_000, now, "en")).toBe("yesterday");
    expect(relative(now - 3 * 60_000, now, "ko")).toBe("3분 전");
  });
  test("a clock of the guest that is ahead is now", () => {
    expect(relative(now + 5000, now, "en")).toBe("now");
  });
  test("durations have two units at most", () => {
    expect(lasting(45_000, "en")).toBe("45 sec");
    expect(lasting(3_900_000, "en")).toBe("1 hr 5 min");
  });
  test("nonsense is no time", () => {
    expect([parse(null), parse("x"), parse("1970-01-01T00:00:00Z")]).toEqual([null, null, null]);
  });
});

describe("untrusted text", () => {
  test("shows what would turn or hide its surroundings", () => {
    expect(visible("a\u202eb\u0000\u200b")).toBe("a‹U+202E›b‹U+0000›‹U+200B›");
  });
  test("keeps letters of every script, and tabs", () => {
    expect(visible("안녕\tשלום")).toBe("안녕\tשלום");
  });
  test("is cut", () => {
    expect(cut("abcdef", 3)).toBe("abc…");
  });
  test("arguments are quoted as a shell wants them", () => {
    expect(commandLine(["sh", "-c", "echo 'a b'", ""])).toBe(`sh -c 'echo '\\''a b'\\''' ''`);
  });
});
