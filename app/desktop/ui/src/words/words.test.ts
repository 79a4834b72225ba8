import { expect, test } from "vitest";

import { en } from "./en";
import { ko } from "./ko";

type Sentence = (...gaps: unknown[]) => unknown;
type Entry = [path: string, value: unknown];

function entries(value: unknown, path: string): Entry[] {
  if (typeof value !== "object" || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => entries(inner, `${path}.${key}`));
}

/** What a sentence with gaps says for some filling. */
function said(value: unknown): string {
  return typeof value === "function" ? String((value as Sentence)(3, 4)) : String(value);
}

test("both catalogues have the same entries of the same shape", () => {
  const shape = (catalogue: unknown): string[] => entries(catalogue, "").map(([path, value]) => `${path} ${typeof value}`).sort();
  expect(shape(ko)).toEqual(shape(en));
});

test("no entry is empty", () => {
  for (const [path, value] of [...entries(en, "en"), ...entries(ko, "ko")]) expect(said(value).trim(), path).not.toBe("");
});

test("Korean is Korean, save for names of things", () => {
  const names = /^(ko\.works\.parts\.vsock|.*\.(id|cgroup|docker|cove|cpus|gigabytes)|ko\.(works\.(pid|cid)|engine\.version))$/;
  for (const [path, value] of entries(ko, "ko")) {
    if (!names.test(path)) expect(said(value), path).toMatch(/[가-힣]/);
  }
});

test("Korean keeps particles off names that it does not know", () => {
  // 을/를, 이/가, 은/는 depend on the last sound of a name; a sentence with a gap must not need one.
  for (const [path, value] of entries(ko, "ko")) {
    if (typeof value === "function") expect(String((value as Sentence)("X", "Y")), path).not.toMatch(/[XY][을를이가은는와과](\s|$)/);
  }
});
