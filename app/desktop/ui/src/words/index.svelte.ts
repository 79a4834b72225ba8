/** Which language the window speaks, and its catalogue. */

import { en, type Catalogue } from "./en";
import { ko } from "./ko";

export type Language = "en" | "ko";
export type Choice = "system" | Language;

const CATALOGUES: Record<Language, Catalogue> = { en, ko };
const KEY = "cove.language";

function stored(): Choice {
  const value = localStorage.getItem(KEY);
  return value === "en" || value === "ko" ? value : "system";
}

function ofSystem(): Language {
  return navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en";
}

class Speech {
  choice: Choice = $state(stored());
  readonly language: Language = $derived(this.choice === "system" ? ofSystem() : this.choice);
  readonly words: Catalogue = $derived(CATALOGUES[this.language]);

  choose(choice: Choice): void {
    this.choice = choice;
    if (choice === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
  }
}

export const speech = new Speech();
