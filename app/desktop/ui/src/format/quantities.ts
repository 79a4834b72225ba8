/** Quantities as people say them. Sizes are decimal, as `docker` and the tools of all three systems print them. */

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** "812 B", "12.4 MB", "3.2 GB": three digits at most, none of them a trailing zero. */
export function bytes(value: number): string {
  let size = Math.max(0, value);
  let unit = 0;
  // 999.5 would be printed as 1000.
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || size >= 99.95 ? 0 : 1;
  return `${Number(size.toFixed(digits))} ${UNITS[unit]}`;
}

/** Memory and disks are given in powers of two: "4 GB" for 4 GiB, as in shops. */
export function binary(value: number): string {
  const gib = value / 2 ** 30;
  if (gib >= 1024) return `${Number((gib / 1024).toFixed(1))} TB`;
  return gib >= 1 ? `${Number(gib.toFixed(1))} GB` : `${Math.round(value / 2 ** 20)} MB`;
}

/** "840 µs", "1.2 ms", "3.4 s". */
export function micros(value: number): string {
  if (value < 1000) return `${Math.round(value)} µs`;
  if (value < 1_000_000) return `${Number((value / 1000).toFixed(value < 10_000 ? 1 : 0))} ms`;
  return `${(value / 1_000_000).toFixed(1)} s`;
}

/** The first twelve digits of an id, without its algorithm. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
