/** Sets the bridge, then draws. */

import "./look/fonts.css";
import "./look/tokens.css";
import "./look/base.css";

import { mount } from "svelte";

import App from "./App.svelte";
import { setBridge } from "./bridge";

const { bridge } = __MOCK__
  ? { bridge: (await import("./mock/bridge")).mock }
  : { bridge: (await import("./shell")).shell };
setBridge(bridge);

const target = document.getElementById("app");
if (target !== null) mount(App, { target });
