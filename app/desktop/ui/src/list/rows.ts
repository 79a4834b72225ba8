/** Which rows of a long list are drawn: all arithmetic of virtual lists, without the DOM. */

/** Rows from `first` up to, not including, `end`, and where they lie in pixels. */
export interface Slice {
  first: number;
  end: number;
  /** Offset of the first drawn row. */
  top: number;
  /** Height of the whole list. */
  height: number;
}

/** Offsets of rows of different heights: as many as there are rows, and the total. */
export function offsets(heights: readonly number[]): number[] {
  const list = [0];
  for (const height of heights) list.push((list.at(-1) ?? 0) + height);
  return list;
}

/** The slice that covers the viewport and `spare` rows on either side. */
export function slice(at: readonly number[], scrollTop: number, viewport: number, spare: number): Slice {
  const rows = at.length - 1;
  const height = at[rows] ?? 0;
  const top = Math.min(Math.max(0, scrollTop), Math.max(0, height - viewport));
  const first = Math.max(0, rowAt(at, top) - spare);
  const end = Math.min(rows, rowAt(at, top + viewport) + 1 + spare);
  return { first, end, top: at[first] ?? 0, height };
}

/** The same for rows of one height, without a table of offsets. */
export function evenSlice(rows: number, row: number, scrollTop: number, viewport: number, spare: number): Slice {
  const height = rows * row;
  const top = Math.min(Math.max(0, scrollTop), Math.max(0, height - viewport));
  const first = Math.max(0, Math.floor(top / row) - spare);
  const end = Math.min(rows, Math.ceil((top + viewport) / row) + spare);
  return { first, end, top: first * row, height };
}

/** Where to scroll so that a row is in view: where it is already, if it is. */
export function scrollFor(from: number, to: number, scrollTop: number, viewport: number): number {
  if (from < scrollTop) return from;
  return to > scrollTop + viewport ? to - viewport : scrollTop;
}

/** The last row that begins at or above `y`. */
function rowAt(at: readonly number[], y: number): number {
  let [low, high] = [0, Math.max(0, at.length - 2)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((at[middle] ?? 0) <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}
