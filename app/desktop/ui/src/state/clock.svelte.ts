/** The time of day for relative times. It ticks once a second while the window is seen, and not at all otherwise. */

class Clock {
  now = $state(Date.now());
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Begins to follow the window's visibility. */
  run(): void {
    const follow = (): void => {
      clearInterval(this.#timer);
      this.#timer = undefined;
      if (document.hidden) return;
      this.now = Date.now();
      this.#timer = setInterval(() => (this.now = Date.now()), 1000);
    };
    document.addEventListener("visibilitychange", follow);
    follow();
  }
}

export const clock = new Clock();
