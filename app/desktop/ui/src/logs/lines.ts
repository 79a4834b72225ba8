/**
 * What a log view keeps: the last lines, whole, as text without terminal control. Batches come in, lines come out; what is
 * over the limit falls off at the old end.
 */

import type { LogEntry } from "../bridge";
import { parse } from "../format/times";

/** More than this is for `docker logs`. */
export const MOST_LINES = 100_000;
/** A line that never ends must not eat the window's memory. */
export const MOST_CHARACTERS = 1 << 20;

export interface Line {
  stream: "stdout" | "stderr";
  time: number | null;
  text: string;
}

export class Lines {
  readonly #limit: number;
  #lines: Line[] = [];
  #dropped = 0;

  constructor(limit = MOST_LINES) {
    this.#limit = limit;
  }

  get all(): readonly Line[] {
    return this.#lines;
  }

  /** How many lines fell off; the number of the first kept line is one more. */
  get dropped(): number {
    return this.#dropped;
  }

  add(entries: readonly LogEntry[]): void {
    for (const { stream, time, text, continues } of entries) {
      const before = continues ? this.#lastOf(stream) : undefined;
      if (before === undefined) this.#lines.push({ stream, time: parse(time), text: text.slice(0, MOST_CHARACTERS) });
      else before.text = (before.text + text).slice(0, MOST_CHARACTERS);
    }
    // In blocks, so that a fast log does not move the array for each batch.
    const over = this.#lines.length - this.#limit;
    if (over > this.#limit / 10) {
      this.#lines = this.#lines.slice(over);
      this.#dropped += over;
    }
  }

  /** The unfinished line is near the end: the other stream can only have written a little since. */
  #lastOf(stream: "stdout" | "stderr"): Line | undefined {
    const stop = Math.max(0, this.#lines.length - 1000);
    for (let at = this.#lines.length - 1; at >= stop; at -= 1) {
      const line = this.#lines[at];
      if (line?.stream === stream) return line;
    }
    return undefined;
  }
}
