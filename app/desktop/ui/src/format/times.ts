/** Times, relative in the reader's language, and exact. */

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
];

/** How far `time` is from `now` (both in milliseconds), in the largest unit that fits: "3 minutes ago". */
export function relative(time: number, now: number, locale: string): string {
  let amount = Math.min(0, (time - now) / 1000);
  for (const [unit, size] of STEPS) {
    if (Math.abs(amount) < size) {
      const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
      return format.format(Math.ceil(amount) || 0, unit);
    }
    amount /= size;
  }
  return "";
}

/** How long something has lasted: "12 min", "3 h 5 min", "2 d 4 h". */
export function lasting(milliseconds: number, locale: string): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86400)];
  const part = (value: number, unit: string): string =>
    new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(value);
  if (minutes === 0) return part(seconds, "second");
  if (hours === 0) return part(minutes, "minute");
  const [large, small] =
    days === 0
      ? [part(hours, "hour"), minutes % 60 && part(minutes % 60, "minute")]
      : [part(days, "day"), hours % 24 && part(hours % 24, "hour")];
  return small ? `${large} ${small}` : large;
}

/** Date and time to the second, for hover. */
export function exact(time: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }).format(time);
}

/** The time of a line of a log: "14:03:07.512". */
export function clock(time: number): string {
  const at = new Date(time);
  const two = (value: number): string => String(value).padStart(2, "0");
  const milliseconds = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${milliseconds}`;
}

/** Milliseconds of an RFC 3339 time, `null` where there is none. */
export function parse(time: string | null): number | null {
  if (time === null) return null;
  const value = Date.parse(time);
  return Number.isNaN(value) || value <= 0 ? null : value;
}
