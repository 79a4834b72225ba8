/** Where in the window the user is. */

export type Screen = "home" | "containers" | "images" | "settings";
export type Tab = "logs" | "details" | "walls";

class Place {
  screen: Screen = $state("home");
  /** Selected container and image, by id. */
  container: string | null = $state(null);
  image: string | null = $state(null);
  tab: Tab = $state("logs");
  palette = $state(false);
  /** What is about to be removed; a dialog asks. */
  removing: { kind: "container" | "image"; id: string } | null = $state(null);

  go(screen: Screen): void {
    this.screen = screen;
  }

  showContainer(id: string, tab: Tab = this.tab): void {
    Object.assign(this, { screen: "containers", container: id, tab });
  }
}

export const place = new Place();
