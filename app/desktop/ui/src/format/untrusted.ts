/**
 * Text that somebody else wrote: names, commands, lines of logs. It is only ever drawn as text; what is left to do is to
 * keep it from changing how its surroundings look.
 */

/** Control characters, marks that turn the direction of what follows them, and letters that are drawn as nothing. */
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

/** Marks on one letter: no writing stacks more than four; more are a flood over the lines above and below. */
const FLOOD = /(\p{M}{4})(\p{M}+)/gu;

/** Makes characters visible that are not, "‹U+202E›", and says how many marks of a flood are not drawn. */
export function visible(text: string): string {
  return text
    .replace(UNSEEN, (mark) => `‹U+${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}›`)
    .replace(FLOOD, (_, drawn: string, rest: string) => `${drawn}‹+${Array.from(rest).length}›`);
}

/** Cuts what is longer than a row can show, never inside a character; the whole is for copying. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const inside = /[\ud800-\udbff]/.test(text.charAt(limit - 1));
  return `${text.slice(0, inside ? limit - 1 : limit)}…`;
}

/** Arguments as one would type them. */
export function commandLine(args: readonly string[]): string {
  return args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`)).join(" ");
}
