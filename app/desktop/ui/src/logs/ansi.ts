/** Terminal colours (SGR, ECMA-48) in a line of a log. All other control sequences are taken out. */

/** A run of characters of one look. */
export interface Run {
  text: string;
  /** 0-15 of the palette, `null` for the ink of the page. */
  colour: number | null;
  bold: boolean;
  faint: boolean;
}

// CSI, OSC up to BEL or ST (or the end), the other strings likewise, two-character escapes.
const SEQUENCE = /\u001b\[([0-9;:?<=>]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\|$)|\u001b[PX^_][^\u001b]*(?:\u001b\\|$)|\u001b[ -/]*[0-~]?/g;

/** Splits a line into runs. */
export function runs(line: string): Run[] {
  const list: Run[] = [];
  let look: Omit<Run, "text"> = { colour: null, bold: false, faint: false };
  let from = 0;
  const push = (to: number): void => {
    if (to > from) list.push({ text: line.slice(from, to), ...look });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") look = select(look, match[1] ?? "");
  }
  push(line.length);
  return list;
}

/** The line without any sequence, for searching and copying. */
export function plain(line: string): string {
  return line.replace(SEQUENCE, "");
}

function select(look: Omit<Run, "text">, parameters: string): Omit<Run, "text"> {
  const next = { ...look };
  const codes = parameters.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 0) Object.assign(next, { colour: null, bold: false, faint: false });
    else if (code === 1) next.bold = true;
    else if (code === 2) next.faint = true;
    else if (code === 22) Object.assign(next, { bold: false, faint: false });
    else if (code >= 30 && code <= 37) next.colour = code - 30;
    else if (code >= 90 && code <= 97) next.colour = code - 90 + 8;
    else if (code === 39) next.colour = null;
    else if (code === 38) {
      // 256 and true colours: the sixteen are kept, others stay ink, which is readable on both papers.
      const index = codes[at + 2] ?? 0;
      if (codes[at + 1] === 5) next.colour = index < 16 ? index : null;
      at += codes[at + 1] === 5 ? 2 : 4;
    }
  }
  return next;
}
