/** Everything that can be done now, by name: what the palette offers. */

import Box from "@lucide/svelte/icons/box";
import FolderOpen from "@lucide/svelte/icons/folder-open";
import House from "@lucide/svelte/icons/house";
import Languages from "@lucide/svelte/icons/languages";
import Layers from "@lucide/svelte/icons/layers";
import Play from "@lucide/svelte/icons/play";
import RotateCw from "@lucide/svelte/icons/rotate-cw";
import ScrollText from "@lucide/svelte/icons/scroll-text";
import SettingsIcon from "@lucide/svelte/icons/settings";
import Square from "@lucide/svelte/icons/square";
import Trash from "@lucide/svelte/icons/trash";

import { cut, visible } from "../format/untrusted";
import { en } from "../words/en";
import { speech } from "../words/index.svelte";
import { ko } from "../words/ko";
import { containers } from "./containers.svelte";
import { imageName, images } from "./images.svelte";
import { commandKey } from "./keys";
import { machine } from "./machine.svelte";
import { place } from "./place.svelte";

export interface Action {
  key: string;
  name: string;
  icon: typeof Box;
  hint?: string;
  run: () => void;
}

export function actions(): Action[] {
  return [...ofMachine(), ...places(), ...ofContainers(), ...ofImages(), language()];
}

function ofMachine(): Action[] {
  const { machine: words } = speech.words;
  switch (machine.state) {
    case "running":
      return [
        { key: "stop", name: words.stopMachine, icon: Square, run: machine.stop },
        { key: "restart", name: words.restartMachine, icon: RotateCw, run: machine.restart },
      ];
    case "stopped":
    case "failed":
      return [{ key: "start", name: words.startMachine, icon: Play, run: machine.start }];
    default:
      return [];
  }
}

function places(): Action[] {
  const { nav, palette } = speech.words;
  const screens = [["home", House], ["containers", Box], ["images", Layers], ["settings", SettingsIcon]] as const;
  return screens.map(([screen, icon], index) => ({
    key: screen,
    name: palette.go(nav[screen]),
    icon,
    hint: `${commandKey}${index + 1}`,
    run: () => place.go(screen),
  }));
}

function ofContainers(): Action[] {
  const { palette } = speech.words;
  return (containers.list ?? []).flatMap(({ id, name: raw, status }) => {
    const name = visible(cut(raw, 100));
    const live = status === "running" || status === "paused";
    return [
      { key: `logs ${id}`, name: palette.logs(name), icon: ScrollText, run: () => place.showContainer(id, "logs") },
      live
        ? { key: `stop ${id}`, name: palette.stop(name), icon: Square, run: () => void containers.stop(id) }
        : { key: `start ${id}`, name: palette.start(name), icon: Play, run: () => void containers.start(id) },
      { key: `remove ${id}`, name: palette.remove(name), icon: Trash, run: () => (place.removing = { kind: "container", id }) },
    ];
  });
}

function ofImages(): Action[] {
  if (!machine.runs) return [];
  const { palette, images: words } = speech.words;
  return [
    { key: "load", name: palette.load, icon: FolderOpen, run: () => void images.load(words.loaded) },
    ...(images.list ?? []).map((image) => ({
      key: `run ${image.id}`,
      name: palette.run(visible(cut(imageName(image), 100))),
      icon: Play,
      run: () => void images.run(image),
    })),
  ];
}

/** The language that is not spoken now, in its own words. */
function language(): Action {
  const other = speech.language === "en" ? "ko" : "en";
  const words = other === "ko" ? ko : en;
  return { key: "language", name: words.palette.language, icon: Languages, run: () => speech.choose(other) };
}
