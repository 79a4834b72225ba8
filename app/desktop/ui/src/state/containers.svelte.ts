/** The containers, as the shell pushes them, and what is being done to each. */

import { bridge, toFailure, type Container, type Failure } from "../bridge";
import { cut, visible } from "../format/untrusted";
import { speech } from "../words/index.svelte";
import { Latest } from "./latest";
import { attempt, notices } from "./notices.svelte";
import { news } from "./status";

export type Doing = "starting" | "stopping" | "removing";

class ContainersStore {
  /** `null` until the first answer. */
  list: Container[] | null = $state.raw(null);
  failure: Failure | null = $state(null);
  /** What the user asked for, by id, until it is done. */
  doing: Record<string, Doing> = $state({});

  readonly #asked = new Latest();

  readonly running = $derived((this.list ?? []).filter(({ status }) => status === "running" || status === "paused"));

  /** The images that containers were made from: changes when a container was made or removed, not when one starts. */
  readonly origins = $derived((this.list ?? []).map(({ imageId }) => imageId).sort().join());

  async open(): Promise<void> {
    await bridge().listen("containers", (list) => {
      this.#asked.overtake();
      this.#take(list);
    });
  }

  refresh(): Promise<void> {
    return this.#asked.ask(() => bridge().call("containers_list"), (list) => this.#take(list), (thrown) => (this.failure = toFailure(thrown)));
  }

  /** The machine has stopped: what was known is known no more. */
  forget(): void {
    this.#asked.overtake();
    this.list = null;
  }

  find(id: string | null): Container | undefined {
    return this.list?.find((container) => container.id === id);
  }

  start = (id: string): Promise<void> => this.#do(id, "starting", () => bridge().call("container_start", { id }));
  stop = (id: string): Promise<void> => this.#do(id, "stopping", () => bridge().call("container_stop", { id }));

  remove(id: string): Promise<void> {
    const force = this.find(id)?.status === "running" || this.find(id)?.status === "paused";
    return this.#do(id, "removing", () => bridge().call("container_remove", { id, force }));
  }

  async #do(id: string, doing: Doing, action: () => Promise<unknown>): Promise<void> {
    if (this.doing[id] !== undefined) return;
    this.doing[id] = doing;
    await attempt(action);
    await this.refresh();
    delete this.doing[id];
  }

  #take(list: Container[]): void {
    const told = news(this.list, list, speech.words.containers, ({ name }) => visible(cut(name, 60)));
    for (const sentence of told) notices.say(sentence);
    this.list = list;
    this.failure = null;
  }
}

export const containers = new ContainersStore();
