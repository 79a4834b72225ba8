/** Whether somebody looks at the window, and how often they came back to it. Nothing is asked for while nobody does. */

class Presence {
  seen = $state(!document.hidden);
  /** Counts each time the window is shown or gets the focus: what no event tells may have changed meanwhile. */
  returns = $state(0);

  /** Begins to follow the window. */
  follow(): void {
    const come = (): void => {
      this.seen = !document.hidden;
      if (this.seen) this.returns += 1;
    };
    document.addEventListener("visibilitychange", come);
    window.addEventListener("focus", come);
  }
}

export const presence = new Presence();
