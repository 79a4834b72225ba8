/**
 * The border between the window and the shell (app/desktop/src): every command and event, with its shape.
 *
 * The shell maps `cove.v1` to these shapes and adds nothing. Conventions:
 *  - names are camelCase, enums are the lower-case last words of the protobuf names ("running", "stdout");
 *  - a time is an RFC 3339 string in UTC, `null` where the message has none; a duration is a number, its unit in the name;
 *  - 64-bit quantities are numbers: none of them passes 2^53;
 *  - arguments are an object whose keys are the names given here;
 *  - a command that fails rejects with a {@link Failure}, never with a bare string.
 *
 * Nothing else in `src` talks to the shell.
 */

/** What a command rejects with. */
export interface Failure {
  /** What could not be done, one sentence. */
  what: string;
  /** The cause; may be empty. */
  why: string;
  /** What to do about it; may be empty. */
  fix: string;
  /** Anything longer, for the folded part; may be empty. */
  details: string;
}

// ── the daemon ──

/** Whether the shell reaches the daemon. Command `engine_get`; event `engine` on each change. */
export interface Engine {
  /** `connecting` also stands for "being started". `lost` says why in `failure`. */
  state: "connecting" | "connected" | "lost";
  failure: Failure | null;
  /** Version of this app. */
  appVersion: string;
}

// ── the machine ──

export type MachineState = "unspecified" | "stopped" | "starting" | "running" | "stopping" | "failed";
export type StartPhase = "unspecified" | "prepare" | "vmm" | "kernel" | "agent";
export type ExitClass = "unspecified" | "power_off" | "panic" | "reset" | "forced" | "vmm_died";

/** `MachineStatus` of machine.proto. */
export interface MachineStatus {
  state: MachineState;
  phase: StartPhase;
  /** Up to three lines: what, why, what to do. Empty unless failed. */
  failure: string;
  consoleTail: string;
  since: string | null;
  revision: number;
  lastExit: ExitClass;
  warnings: string[];
}

/** `GetMachineResponse`. Command `machine_get`; event `machine` with the same shape on each change of the status. */
export interface Machine {
  status: MachineStatus;
  hardware: {
    cpus: number;
    memoryBytes: number;
    diskBytes: number;
    diskUsedBytes: number;
    hypervisor: string;
    accelerator: string;
  };
  transport: {
    vsock: string;
    cid: number;
    agentPort: number;
    helperPid: number;
    /** 0 when it was not measured. */
    agentRoundTripMicros: number;
  };
  host: {
    os: string;
    arch: string;
    daemonVersion: string;
    daemonPid: number;
    engineEndpoint: string;
    dockerEndpoint: string;
    home: string;
  };
  image: { kernelRelease: string; arch: string; agentVersion: string; digest: string };
}

/** `GetGuestResponse`. Command `guest_get`, which answers `null` unless the machine runs and never starts it. */
export interface Guest {
  agentVersion: string;
  kernelRelease: string;
  arch: string;
  cpus: number;
  memoryBytes: number;
  memoryAvailableBytes: number;
  diskBytes: number;
  diskFreeBytes: number;
  containers: { stopped: number; running: number; paused: number };
  images: number;
  agentPid: number;
  agentResidentBytes: number;
  warnings: string[];
}

/** `HostCheck`. Command `host_check` answers a list of them. */
export interface HostCheck {
  name: string;
  verdict: "unspecified" | "ok" | "warning" | "problem";
  finding: string;
  fix: string;
}

/** Command `settings_get`; `settings_set` takes `{cpus, memoryBytes, diskBytes}` and answers the same shape. */
export interface Settings {
  cpus: number;
  memoryBytes: number;
  diskBytes: number;
  /** What the host has; 0 when it does not say. */
  hostCpus: number;
  hostMemoryBytes: number;
  /** Free space where the disk lies. */
  hostDiskFreeBytes: number;
  /** What the disk takes there now. */
  diskUsedBytes: number;
  /** Whether the running machine was started with other values. */
  restartNeeded: boolean;
  /** Why the settings' file cannot be used, empty if it can: the values are the defaults then, and setting any replaces it. */
  problem: string;
  /** Where that file is. */
  path: string;
}

// ── containers ──

export type ContainerStatus = "unspecified" | "created" | "running" | "paused" | "exited" | "removing" | "dead";

/** A container in the list. Command `containers_list` (all, newest first); event `containers` with the whole list on
 *  each change while the window is visible. A stopped machine answers `[]` and is not started. */
export interface Container {
  id: string;
  name: string;
  /** As the user wrote it. */
  image: string;
  imageId: string;
  status: ContainerStatus;
  /** In the guest, 0 when it does not run. */
  pid: number;
  exitCode: number;
  oomKilled: boolean;
  /** Why the last start failed. */
  error: string;
  createdAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  /** The program and its arguments. */
  command: string[];
}

/** Command `container_get` takes `{id}`. */
export interface ContainerDetails extends Container {
  env: string[];
  labels: Record<string, string>;
  workingDir: string;
  user: string;
  hostname: string;
  networkMode: string;
  /** On its network, while it runs; empty if it has none. */
  address: string;
  tty: boolean;
  autoRemove: boolean;
  privileged: boolean;
  readOnlyRootfs: boolean;
  /** Zero means no limit. */
  nanoCpus: number;
  memoryBytes: number;
  pidsLimit: number;
}

/** `GetIsolationResponse`. Command `isolation_get` takes `{id}`; fails for a container that does not run. */
export interface Isolation {
  pid: number;
  containerPid: number;
  namespaces: Namespace[];
  agentNamespaces: Namespace[];
  cgroup: string;
  limits: Record<string, string>;
  kernelRelease: string;
  capabilities: string[];
  seccomp: boolean;
}

/** A namespace: equal inodes are the same namespace. */
export interface Namespace {
  kind: string;
  inode: number;
}

/**
 * A piece of a log, the payload of the event `logs:<token>`. The window makes the token, listens, and then calls
 * `logs_open` with `{id, follow, tailLines, token}`; `logs_close` takes `{token}`. The shell batches for 50 ms and sends at
 * most 2,000 entries at once.
 */
export interface LogBatch {
  entries: LogEntry[];
  /** The container ended or the log is all read: nothing more comes. */
  ended: boolean;
  failure: Failure | null;
}

export interface LogEntry {
  stream: "stdout" | "stderr";
  time: string | null;
  /** Decoded as UTF-8 with replacement, without the line feed. */
  text: string;
  /** Goes on the line of the entry before it on this stream. */
  continues: boolean;
}

// ── images ──

/** Command `images_list`, the newest first. A stopped machine answers `[]` and is not started. */
export interface Image {
  id: string;
  tags: string[];
  createdAt: string | null;
  os: string;
  arch: string;
  variant: string;
  sizeBytes: number;
  /** Bytes of each layer, the lowest first. */
  layerBytes: number[];
  /** Containers that were made from it. */
  containers: number;
}

// ── commands ──

/** Every command: its arguments and its answer. */
export interface Commands {
  engine_get: [undefined, Engine];
  /** Connects again, and starts the daemon if it does not run. */
  engine_retry: [undefined, Engine];
  machine_get: [undefined, Machine];
  machine_start: [undefined, null];
  machine_stop: [undefined, null];
  machine_restart: [undefined, null];
  guest_get: [undefined, Guest | null];
  host_check: [undefined, HostCheck[]];
  settings_get: [undefined, Settings];
  settings_set: [{ cpus: number; memoryBytes: number; diskBytes: number }, Settings];
  /** Whether the app starts, as the tray icon alone, when the user logs in; `login_set` answers what is so afterwards. */
  login_get: [undefined, boolean];
  login_set: [{ enabled: boolean }, boolean];
  containers_list: [undefined, Container[]];
  container_get: [{ id: string }, ContainerDetails];
  container_start: [{ id: string }, null];
  container_stop: [{ id: string }, null];
  container_remove: [{ id: string; force: boolean }, null];
  /** Makes a container with the image's own command and starts it; answers its id. */
  container_run: [{ image: string }, string];
  isolation_get: [{ id: string }, Isolation];
  logs_open: [{ id: string; follow: boolean; tailLines: number; token: string }, null];
  logs_close: [{ token: string }, null];
  images_list: [undefined, Image[]];
  /** Without a path the shell asks for a file. Answers the references, or `null` when the dialog was cancelled. */
  images_load: [{ path: string | null }, string[] | null];
  image_remove: [{ id: string; force: boolean }, null];
}

/** Every event and its payload; logs have events of their own, see {@link LogBatch}. */
export interface Events {
  engine: Engine;
  machine: Machine;
  containers: Container[];
}

type Arguments<K extends keyof Commands> = Commands[K][0] extends undefined ? [] : [Commands[K][0]];

/** The shell, as the window sees it. */
export interface Bridge {
  call: <K extends keyof Commands>(command: K, ...args: Arguments<K>) => Promise<Commands[K][1]>;
  /** Resolves when the listener is in place; the answer takes it away again. */
  listen: <K extends keyof Events>(event: K, listener: (payload: Events[K]) => void) => Promise<() => void>;
  listenLogs: (token: string, listener: (batch: LogBatch) => void) => Promise<() => void>;
}

/** The only instance; `main.ts` sets it before anything is drawn. */
let current: Bridge | undefined;

export function setBridge(bridge: Bridge): void {
  current = bridge;
}

export function bridge(): Bridge {
  if (current === undefined) throw new Error("the bridge is not set");
  return current;
}

/** A {@link Failure} from whatever was thrown. */
export function toFailure(thrown: unknown): Failure {
  if (typeof thrown === "object" && thrown !== null && "what" in thrown) {
    const { what, why, fix, details } = thrown as Partial<Failure>;
    return { what: what ?? "", why: why ?? "", fix: fix ?? "", details: details ?? "" };
  }
  return { what: String(thrown), why: "", fix: "", details: "" };
}
