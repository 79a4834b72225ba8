/** The bridge to the real shell: Tauri's commands and events. */

import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";

import type { Bridge } from "./bridge";

export const shell: Bridge = {
  call: (command, ...args) => invoke(command, args[0] ?? {}),
  listen: (event, listener) => listen(event, ({ payload }) => listener(payload as never)),
  listenLogs: (token, listener) => listen(`logs:${token}`, ({ payload }) => listener(payload as never)),
};
