/** A shell without a machine: answers from invented data, and lets its machine start and stop. Not in the product. */

import type { Bridge, Commands, Container, ContainerDetails, Engine, Events, Failure, Image, LogBatch, Machine, MachineState, StartPhase } from "../bridge";
import { speech } from "../words/index.svelte";
import * as scenes from "./scenes";

const parameters = new URLSearchParams(location.search);
const scene = parameters.get("scene") ?? "running";
const theme = parameters.get("theme");
if (theme) document.documentElement.dataset["theme"] = theme;
const language = parameters.get("language");
if (language === "en" || language === "ko") speech.choose(language);
document.documentElement.dataset["mock"] = scene;

/** Scenes in which something else is drawn than a machine that runs well: lost, connecting, linux, warning, panic, empty, many,
 *  hostile, dying (the daemon ends when it is to stop the machine), slow (nothing answers), failing (lists cannot be read, start at login cannot be changed), nonsense (the settings' file). */
const STATES: Partial<Record<string, MachineState>> = { stopped: "stopped", failed: "failed", panic: "failed", starting: "starting" };
let machine: Machine = scenes.machineIn(STATES[scene] ?? "running");
if (scene === "linux") machine = scenes.onLinux(machine);
if (scene === "warning") machine = { ...machine, status: { ...machine.status, warnings: [scenes.warning] } };
if (scene === "panic") machine = { ...machine, status: scenes.panicked(machine.status) };
if (scene === "starting") Object.assign(machine, { status: { ...machine.status, phase: "kernel" }, transport: { ...machine.transport, helperPid: 4312 } });
let containers: Container[] = { hostile: scenes.hostileContainers, many: scenes.manyContainers, empty: [] }[scene] ?? scenes.containers;
let images: Image[] = { hostile: scenes.hostileImages, empty: [] }[scene] ?? scenes.images;
let settings = scene === "nonsense" ? { ...scenes.settings, problem: "line 3: \"four\" is not a number of CPUs" } : scenes.settings;
let atLogin = false;
let engine: Engine = scene === "lost"
  ? { state: "lost", appVersion: "0.1.0", failure: { what: "the daemon is of another version", why: "this app is 0.1.0 and speaks cove.v1; the daemon that answers is 0.3.0 and speaks cove.v2", fix: "quit Cove, then open it again: the daemon that comes with the app is started", details: "" } }
  : { state: scene === "connecting" ? "connecting" : "connected", failure: null, appVersion: "0.1.0" };

const listeners: { [K in keyof Events]: Set<(payload: Events[K]) => void> } = { engine: new Set(), machine: new Set(), containers: new Set() };
const logs = new Map<string, (batch: LogBatch) => void>();
const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const step = Number(parameters.get("step") ?? 700);

function become(state: MachineState, phase: StartPhase = "unspecified"): void {
  const next = scenes.machineIn(state);
  const helperPid = state === "starting" && phase !== "prepare" ? 4312 : next.transport.helperPid;
  machine = { ...next, transport: { ...next.transport, helperPid }, status: { ...next.status, phase, revision: machine.status.revision + 1, since: new Date().toISOString() } };
  for (const listener of listeners.machine) listener(machine);
}

function change(id: string, values: Partial<Container>): void {
  containers = containers.map((one) => (one.id === id ? { ...one, ...values } : one));
  for (const listener of listeners.containers) listener(containers);
}

/** As the shell rejects: a failure, and an error too, so that whoever does not catch it sees where it is from. */
function refused(what: string, why = "", fix = "", details = ""): Error & Failure {
  return Object.assign(new Error(what), { what, why, fix, details });
}

const now = (): string => new Date().toISOString();

const commands: { [K in keyof Commands]: (argument: Commands[K][0]) => Promise<Commands[K][1]> | Commands[K][1] } = {
  engine_get: () => engine,
  engine_retry: () => (engine = scene === "dying" ? { ...engine, state: "connected", failure: null } : engine),
  machine_get: () => machine,
  machine_start: async () => {
    for (const phase of ["prepare", "vmm", "kernel", "agent"] as const) {
      become("starting", phase);
      await wait(step);
    }
    become("running");
    return null;
  },
  machine_stop: async () => {
    if (scene === "dying") {
      engine = { ...engine, state: "lost", failure: { what: "the engine has ended", why: "coved was stopped or died", fix: "Connect again, which starts it", details: "" } };
      for (const listener of listeners.engine) listener(engine);
      throw refused("the machine was not stopped", "the connection was closed");
    }
    become("stopping");
    await wait(step);
    become("stopped");
    return null;
  },
  machine_restart: async () => {
    await commands.machine_stop(undefined);
    return commands.machine_start(undefined);
  },
  guest_get: () => (machine.status.state === "running" ? scenes.guest : null),
  host_check: async () => {
    await wait(100);
    return scenes.checks;
  },
  settings_get: () => settings,
  settings_set: async (values) => {
    await wait(150);
    return (settings = { ...settings, ...values, problem: "", restartNeeded: true });
  },
  login_get: () => atLogin,
  login_set: async ({ enabled }) => {
    await wait(150);
    if (scene === "failing") throw refused("start at login was not changed", "write /home/mina/.config/autostart/dev.cove.desktop.desktop: read-only file system");
    return (atLogin = enabled);
  },
  containers_list: () => {
    if (scene === "failing") throw refused("the containers cannot be listed", "the agent does not answer: the connection was reset", "wait a moment and try again; cove log shows what the machine says", "rpc error: unavailable\nvsock:3:1024: connection reset by peer");
    return containers;
  },
  container_get: ({ id }): ContainerDetails => {
    const found = containers.find((one) => one.id === id);
    if (!found) throw refused("no such container");
    return {
      ...found, env: ["PATH=/usr/local/bin:/usr/bin:/bin", "NODE_ENV=production", "DATABASE_URL=postgres://shop-db/shop"], labels: { "com.example.project": "shop" },
      workingDir: "/srv/app", user: "node", hostname: id.slice(0, 12), networkMode: "bridge", address: found.status === "running" ? "172.17.0.2" : "", tty: false, autoRemove: false, privileged: false, readOnlyRootfs: false,
      nanoCpus: 1.5e9, memoryBytes: 2 ** 29, pidsLimit: 0,
    };
  },
  container_start: async ({ id }) => {
    await wait(step);
    change(id, { status: "running", pid: 501, startedAt: now() });
    return null;
  },
  container_stop: async ({ id }) => {
    await wait(step);
    change(id, { status: "exited", exitCode: 0, pid: 0, finishedAt: now() });
    return null;
  },
  container_remove: async ({ id }) => {
    await wait(step / 2);
    containers = containers.filter((one) => one.id !== id);
    return null;
  },
  container_run: async ({ image }) => {
    await wait(step);
    const found = scenes.containers[4];
    if (!found) throw new Error("no example");
    const id = found.id.split("").reverse().join("");
    containers = [{ ...found, id, name: "brave_heron", image, imageId: `sha256:${id}`, createdAt: now(), startedAt: now(), finishedAt: now() }, ...containers];
    for (const listener of listeners.containers) listener(containers);
    return id;
  },
  isolation_get: () => scenes.isolation,
  logs_open: async ({ token, id }) => {
    await wait(30);
    const found = containers.find((one) => one.id === id);
    const entries = scene === "hostile" ? scenes.hostileLog() : scenes.webLog(found?.name === "cache" ? 0 : Number(parameters.get("lines") ?? 400));
    for (let at = 0; at < entries.length; at += 2000) {
      logs.get(token)?.({ entries: entries.slice(at, at + 2000), ended: found?.status !== "running" && at + 2000 >= entries.length, failure: null });
    }
    return null;
  },
  logs_close: () => null,
  images_list: () => images,
  images_load: async () => {
    await wait(step);
    images = [scenes.hello, ...images.filter(({ id }) => id !== scenes.hello.id)];
    return ["cove/hello:latest"];
  },
  image_remove: async ({ id }) => {
    await wait(step / 2);
    const found = images.find((one) => one.id === id);
    if (found && found.containers > 0) {
      throw refused(`remove ${found.tags[0] ?? ""}`, `container ${scenes.containers[0]?.name ?? ""} was made from it and runs`, "stop and remove the container first");
    }
    images = images.filter((one) => one.id !== id);
    return null;
  },
};

export const mock: Bridge = {
  // Answers come later, as they do from a shell.
  call: async (command, ...args) => {
    const silent = scene === "slow" && !["engine_get", "machine_get", "guest_get"].includes(command);
    await wait(silent ? 100_000_000 : 5);
    if (engine.state === "lost" && !command.startsWith("engine_")) throw refused("the engine is not reached");
    return (commands[command] as (argument: unknown) => never)(args[0]);
  },
  listen: (event, listener) => {
    listeners[event].add(listener);
    return Promise.resolve(() => listeners[event].delete(listener));
  },
  listenLogs: (token, listener) => {
    logs.set(token, listener);
    return Promise.resolve(() => logs.delete(token));
  },
};
