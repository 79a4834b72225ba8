/** What the window has to say that belongs to no place: failures of actions, and what was done. Also what screen readers hear. */

import { toFailure, type Failure } from "../bridge";

export interface Notice {
  key: number;
  /** A failure, or one sentence of success. */
  failure: Failure | null;
  text: string;
}

class Notices {
  list: Notice[] = $state([]);
  /** The last sentences for the live region, each with a key, so that the same one is heard again. */
  spoken: { key: number; text: string }[] = $state.raw([]);
  #next = 0;

  fail(thrown: unknown): void {
    const failure = toFailure(thrown);
    this.#push({ failure, text: failure.what });
  }

  done(text: string): void {
    const key = this.#push({ failure: null, text });
    this.say(text);
    setTimeout(() => this.dismiss(key), 5000);
  }

  say(text: string): void {
    this.spoken = [...this.spoken.slice(-3), { key: (this.#next += 1), text }];
  }

  dismiss(key: number): void {
    this.list = this.list.filter((notice) => notice.key !== key);
  }

  #push(notice: Omit<Notice, "key">): number {
    const key = (this.#next += 1);
    // Three at most: a fourth failure is rarely news.
    this.list = [...this.list.slice(-2), { key, ...notice }];
    return key;
  }
}

export const notices = new Notices();

/** Runs an action of the user; a failure becomes a notice. Says whether it worked. */
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (thrown) {
    notices.fail(thrown);
    return false;
  }
}
