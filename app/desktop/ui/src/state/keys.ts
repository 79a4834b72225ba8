/** Keys of the whole window, and moving about in lists. */

const mac = navigator.platform.includes("Mac");

/** How the command key is called here. */
export const commandKey = mac ? "⌘" : "Ctrl ";

/** Whether the command key of this system is held. */
export function command(event: KeyboardEvent): boolean {
  return mac ? event.metaKey : event.ctrlKey;
}

/** Whether keys go into a text at the moment. */
export function typing(event: KeyboardEvent): boolean {
  return event.target instanceof HTMLElement && event.target.matches("input, textarea, select, [contenteditable]");
}

/** Where a key moves to in a list of `length`, from `at` (-1 for nowhere); `null` for other keys. */
export function moved(key: string, at: number, length: number): number | null {
  if (length === 0) return null;
  const last = length - 1;
  switch (key) {
    case "ArrowDown":
      return Math.min(at + 1, last);
    case "ArrowUp":
      return at < 0 ? last : Math.max(at - 1, 0);
    case "PageDown":
      return Math.min(at + 10, last);
    case "PageUp":
      return Math.max(at - 10, 0);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return null;
  }
}
