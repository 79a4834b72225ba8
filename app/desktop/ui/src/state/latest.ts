/** Answers come back in any order: only the one to the newest question is taken. */

export class Latest {
  #newest = 0;

  /** Asks; the answer, or what was thrown instead, is taken unless something newer was asked or heard meanwhile. */
  async ask<T>(question: () => Promise<T>, take: (answer: T) => void, failed: (thrown: unknown) => void): Promise<void> {
    const mine = this.overtake();
    try {
      const answer = await question();
      if (mine === this.#newest) take(answer);
    } catch (thrown) {
      if (mine === this.#newest) failed(thrown);
    }
  }

  /** Makes every answer that is still on its way an old one: news came by another way. */
  overtake(): number {
    this.#newest += 1;
    return this.#newest;
  }
}
