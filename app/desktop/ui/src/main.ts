/** Sets the bridge, then draws. */

import "./look/fonts.css";
import "./look/tokens.css";
import "./look/base.css";

import { mount } from "svelte";

import App from "./App.svelte";
import { setBridge } from "./bridge";
import { shell } from "./shell";

setBridge(__MOCK__ ? (await import("./mock/bridge")).mock : shell);

const target = document.getElementById("app");
if (target !== null) mount(App, { target });
