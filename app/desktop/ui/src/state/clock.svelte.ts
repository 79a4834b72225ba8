/** The time of day for relative times. It ticks once a second while the window is seen, and not at all otherwise. */

import { presence } from "./presence.svelte";

class Clock {
  now = $state(Date.now());

  /** Begins to tick; belongs into an effect, which stops it and begins anew when the window is hidden or shown. */
  tick(): (() => void) | undefined {
    if (!presence.seen) return undefined;
    this.now = Date.now();
    const timer = setInterval(() => (this.now = Date.now()), 1000);
    return () => clearInterval(timer);
  }
}

export const clock = new Clock();
