/** A failed machine as a failure that can be shown like any other. */

import type { Failure, MachineStatus } from "../bridge";
import type { Catalogue } from "../words/en";

/** The daemon says what, why and what to do, a line each; the last line is only a fix when there are three. */
export function failureOf(status: MachineStatus, words: Catalogue): Failure {
  const lines = status.failure.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const exits: Partial<Record<string, string>> = words.machine.exit;
  const exit = exits[status.lastExit] ?? "";
  const [what = words.machine.failed, why = exit, ...fix] = lines;
  return { what, why, fix: fix.join("\n"), details: status.consoleTail };
}
