/** The images, and what is being done to them. */

import { bridge, toFailure, type Failure, type Image } from "../bridge";
import { shortId } from "../format/quantities";
import { containers } from "./containers.svelte";
import { Latest } from "./latest";
import { attempt, notices } from "./notices.svelte";
import { place } from "./place.svelte";

class ImagesStore {
  /** `null` until the first answer. */
  list: Image[] | null = $state.raw(null);
  failure: Failure | null = $state(null);
  loading = $state(false);
  doing: Record<string, "running" | "removing"> = $state({});

  readonly #asked = new Latest();

  refresh(): Promise<void> {
    const take = (list: Image[]): void => {
      this.list = list;
      this.failure = null;
    };
    return this.#asked.ask(() => bridge().call("images_list"), take, (thrown) => (this.failure = toFailure(thrown)));
  }

  /** The machine has stopped: what was known is known no more. */
  forget(): void {
    this.#asked.overtake();
    this.list = null;
  }

  find(id: string | null): Image | undefined {
    return this.list?.find((image) => image.id === id);
  }

  /** Asks for a file and loads it; `loaded` makes the sentence that says so. */
  async load(loaded: (names: string) => string): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    await attempt(async () => {
      const names = await bridge().call("images_load", { path: null });
      if (names !== null) notices.done(loaded(names.join(", ")));
    });
    await this.refresh();
    this.loading = false;
  }

  /** Runs it and shows what it writes. */
  run(image: Image): Promise<void> {
    return this.#do(image.id, "running", async () => {
      const id = await bridge().call("container_run", { image: image.tags[0] ?? image.id });
      await containers.refresh();
      place.showContainer(id, "logs");
    });
  }

  remove(id: string): Promise<void> {
    const force = (this.find(id)?.tags.length ?? 0) > 1;
    return this.#do(id, "removing", () => bridge().call("image_remove", { id, force }));
  }

  async #do(id: string, doing: "running" | "removing", action: () => Promise<unknown>): Promise<void> {
    if (this.doing[id] !== undefined) return;
    this.doing[id] = doing;
    await attempt(action);
    await this.refresh();
    delete this.doing[id];
  }
}

export const images = new ImagesStore();

/** What an image is called where it has no name. */
export function imageName(image: Image): string {
  return image.tags[0] ?? shortId(image.id);
}
