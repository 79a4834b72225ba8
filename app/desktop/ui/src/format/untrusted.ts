/**
 * Text that somebody else wrote: names, commands, lines of logs. It is only ever drawn as text; what is left to do is to
 * keep it from changing how its surroundings look.
 */

/** Control characters, and marks that turn the direction of what follows them. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Makes characters visible that are not: "‹U+202E›". */
export function visible(text: string): string {
  return text.replace(UNSEEN, (mark) => `‹U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

/** Cuts what is longer than a row can show; the whole is for copying. */
export function cut(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

/** Arguments as one would type them. */
export function commandLine(args: readonly string[]): string {
  return args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`)).join(" ");
}
