/** The state of a container in a word, and whether it is a bad one. */

import type { Container } from "../bridge";
import type { Catalogue } from "../words/en";

export function said(container: Container, words: Catalogue["containers"]): string {
  if (container.status !== "exited") return words.status[container.status];
  return container.oomKilled ? words.outOfMemory : words.exited(container.exitCode);
}

export function bad({ status, oomKilled, error, exitCode }: Container): boolean {
  return status === "dead" || oomKilled || error !== "" || (status === "exited" && exitCode !== 0);
}

/** More changes at once than this are counted, not told one by one. */
const TOLD = 3;

/** Sentences about what became of containers between two lists; none about the first list. */
export function news(before: readonly Container[] | null, after: readonly Container[], words: Catalogue["containers"], name: (container: Container) => string): string[] {
  if (before === null) return [];
  const known = new Map(before.map(({ id, status }) => [id, status]));
  const changed = after.filter(({ id, status }) => known.get(id) !== status);
  return changed.length > TOLD ? [words.changed(changed.length)] : changed.map((one) => words.announce(name(one), said(one, words)));
}
