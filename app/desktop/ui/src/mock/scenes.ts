/** Invented data for a window without a shell. `?scene=` chooses one; mock/bridge.ts lists them. */

import type { Container, Guest, HostCheck, Image, Isolation, LogEntry, Machine, MachineState, Settings } from "../bridge";

const GIB = 2 ** 30;
const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
const hex = (seed: number): string => {
  let [state, text] = [seed * 2654435761, ""];
  while (text.length < 64) {
    state = (state * 1103515245 + 12345) % 2147483648;
    text += state.toString(16).padStart(8, "0").slice(0, 6);
  }
  return text.slice(0, 64);
};

export function machineIn(state: MachineState): Machine {
  const failed = state === "failed";
  const live = state === "running" || state === "stopping";
  return {
    status: {
      state,
      phase: "unspecified",
      failure: failed
        ? "start the machine: QEMU is not installed\nqemu-system-x86_64 was found neither in PATH nor in /usr/libexec\ninstall it, for example with: sudo apt install qemu-system-x86"
        : "",
      consoleTail: failed ? "" : "",
      since: ago(live ? 1380 : 7300),
      revision: 12,
      lastExit: "unspecified",
      warnings: [],
    },
    hardware: { cpus: 4, memoryBytes: 4 * GIB, diskBytes: 64 * GIB, diskUsedBytes: 3.41e9, hypervisor: "Virtualization.framework", accelerator: "hvf" },
    transport: { vsock: "virtualization.framework", cid: 3, agentPort: 1024, helperPid: live ? 4312 : 0, agentRoundTripMicros: live ? 410 : 0 },
    host: {
      os: "darwin",
      arch: "arm64",
      daemonVersion: "0.1.0",
      daemonPid: 4287,
      engineEndpoint: "/Users/mina/.cove/run/cove.sock",
      dockerEndpoint: "/Users/mina/.cove/run/docker.sock",
      home: "/Users/mina/.cove",
    },
    image: { kernelRelease: "6.12.48+deb13-cloud-arm64", arch: "arm64", agentVersion: "0.1.0", digest: `sha256:${hex(9)}` },
  };
}

/** The same on a Linux host, whose machine runs under QEMU. */
export function onLinux(machine: Machine): Machine {
  const kernelRelease = "6.12.48+deb13-cloud-amd64";
  return {
    ...machine,
    hardware: { ...machine.hardware, hypervisor: "qemu", accelerator: "kvm" },
    transport: { ...machine.transport, vsock: "vhost-vsock", cid: 2_871_628_312, agentRoundTripMicros: 182 },
    host: { ...machine.host, os: "linux", arch: "amd64", engineEndpoint: "/home/mina/.cove/run/cove.sock", dockerEndpoint: "/home/mina/.cove/run/docker.sock", home: "/home/mina/.cove" },
    image: { ...machine.image, kernelRelease, arch: "amd64" },
  };
}

export const warning = "KVM is there and cannot run a guest here, so the machine is emulated: everything is 10 to 30 times slower";

export function panicked(status: Machine["status"]): Machine["status"] {
  const consoleTail = [
    "[    4.118] Run /init as init process", "[    5.902] cove: agent listens on vsock port 1024", "[ 1361.440] Out of memory and no killable processes...",
    "[ 1361.441] Kernel panic - not syncing: System is deadlocked on memory", "[ 1361.441] CPU: 2 PID: 2 Comm: cove-guest Not tainted 6.12.48+deb13-cloud-arm64",
  ].join("\n");
  return { ...status, failure: "", lastExit: "panic", consoleTail };
}

export const guest: Guest = {
  agentVersion: "0.1.0",
  kernelRelease: "6.12.48+deb13-cloud-arm64",
  arch: "arm64",
  cpus: 4,
  memoryBytes: 4.11e9,
  memoryAvailableBytes: 3.47e9,
  diskBytes: 64 * GIB,
  diskFreeBytes: 60e9,
  containers: { stopped: 3, running: 4, paused: 0 },
  images: 5,
  agentPid: 2,
  agentResidentBytes: 14.2e6,
  warnings: [],
};

function container(seed: number, name: string, image: string, command: string[], rest: Partial<Container>): Container {
  return {
    id: hex(seed), name, image, imageId: `sha256:${hex(seed + 100)}`, status: "running", pid: 380 + seed * 9, exitCode: 0, oomKilled: false, error: "",
    createdAt: ago(seed * 4000), startedAt: ago(seed * 900), finishedAt: null, command, ...rest,
  };
}

const ended = (code: number, seconds: number, rest: Partial<Container> = {}): Partial<Container> =>
  ({ status: "exited", pid: 0, exitCode: code, finishedAt: ago(seconds), ...rest });

export const containers: Container[] = [
  container(1, "shop-web", "shop/web:2.4", ["node", "server.js"], {}),
  container(2, "shop-db", "postgres:17", ["docker-entrypoint.sh", "postgres"], {}),
  container(3, "cache", "valkey:8-alpine", ["valkey-server", "--save", ""], {}),
  container(4, "mail", "mailpit:v1.21", ["/mailpit"], {}),
  container(5, "hello", "cove/hello:latest", ["/hello"], ended(0, 320)),
  container(6, "migrate", "shop/web:2.4", ["node", "migrate.js", "--to", "latest"], ended(1, 5400)),
  container(7, "import", "shop/import:latest", ["python", "-m", "load"], ended(137, 90_000, { oomKilled: true })),
];

const evil = `<img src=x onerror="window.__ran=1"><script>window.__ran=1</script>`;
export const hostileContainers: Container[] = [
  container(11, evil, `${evil}\u202egnp.exe`, [evil], {}),
  container(12, "\u202eevil\u202c-\u0000\u001b[31mred", "a".repeat(5000), ["b".repeat(5000)], {}),
  container(13, "n".repeat(4000), "x\ny\tz", ["\u0007"], ended(1, 60, { error: evil.repeat(50) })),
  container(14, "שלום-עולם", "مرحبا:latest", ["السلام"], ended(0, 60)),
  container(15, `z${"\u0335\u034a".repeat(400)}algo`, `a${"\u0301".repeat(3000)}:1`, ["x"], { oomKilled: true, ...ended(137, 60) }),
  container(16, "\u200b\u200d\u2060\u3164\u00ad", "pay\u200bpal\u{e0041}:latest", [""], ended(0, 60)),
  container(17, "👩‍👩‍👧‍👦".repeat(200), "한글".repeat(2000), ["\n\n\n"], ended(0, 60)),
];

export const manyContainers: Container[] = Array.from({ length: 500 }, (_, at) =>
  container(at + 20, `worker-${String(at + 1).padStart(3, "0")}`, "shop/worker:1.9", ["work"], at % 3 === 0 ? {} : ended(0, at * 60)));

function image(seed: number, tags: string[], megabytes: number[], used: number): Image {
  const layerBytes = megabytes.map((size) => Math.round(size * 1e6));
  return { id: `sha256:${hex(seed)}`, tags, createdAt: ago(seed * 260_000), os: "linux", arch: "arm64", variant: "v8", layerBytes, sizeBytes: layerBytes.reduce((a, b) => a + b, 0), containers: used };
}

export const images: Image[] = [
  image(31, ["shop/web:2.4", "shop/web:latest"], [97.2, 48.1, 12.9, 3.3], 2),
  image(32, ["postgres:17"], [28.1, 214.6, 8.2, 0.4], 1),
  image(33, ["valkey:8-alpine"], [8.4, 31.2], 1),
  image(34, ["mailpit:v1.21"], [8.4, 22.7], 1),
  image(35, ["cove/hello:latest"], [0.38], 1),
  image(36, [], [97.2, 47.6, 12.1], 0),
];

export const hostileImages: Image[] = [
  image(41, [evil, `${evil}:2`], [1, 2], 1),
  image(42, ["\u202egpj.exe"], [0], 0),
  image(43, [`${"m".repeat(200_000)}:latest`], Array.from({ length: 200 }, () => 0.1), 3),
  image(44, [`q${"\u0489\u0336".repeat(2000)}`], [], 0),
];

export const hello: Image = image(35, ["cove/hello:latest"], [0.38], 0);

export const isolation: Isolation = {
  pid: 389,
  containerPid: 1,
  namespaces: [
    ["cgroup", 4026532301], ["ipc", 4026532299], ["mnt", 4026532297], ["net", 4026532302], ["pid", 4026532300], ["time", 4026531834], ["user", 4026531837], ["uts", 4026532298],
  ].map(([kind, inode]) => ({ kind: String(kind), inode: Number(inode) })),
  agentNamespaces: [
    ["cgroup", 4026531835], ["ipc", 4026531839], ["mnt", 4026531841], ["net", 4026531840], ["pid", 4026531836], ["time", 4026531834], ["user", 4026531837], ["uts", 4026531838],
  ].map(([kind, inode]) => ({ kind: String(kind), inode: Number(inode) })),
  cgroup: "/containers/a1c9",
  limits: { "cpu.max": "max 100000", "memory.max": "536870912", "pids.max": "max" },
  kernelRelease: "6.12.48+deb13-cloud-arm64",
  capabilities: ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"],
  seccomp: true,
};

export const settings: Settings = { cpus: 4, memoryBytes: 4 * GIB, diskBytes: 64 * GIB, hostCpus: 10, hostMemoryBytes: 16 * GIB, hostDiskFreeBytes: 212e9, diskUsedBytes: 3.41e9, restartNeeded: false, problem: "", path: "/Users/mina/.cove/machine.toml" };

export const checks: HostCheck[] = [
  { name: "host.system", verdict: "ok", finding: "macOS 15.6 on Apple silicon", fix: "" },
  { name: "vz.framework", verdict: "ok", finding: "Virtualization.framework is there and may be used", fix: "" },
  { name: "image", verdict: "ok", finding: "the guest image is whole: Linux 6.12.48+deb13-cloud-arm64", fix: "" },
  { name: "docker.context", verdict: "warning", finding: "docker talks to another engine: its context is desktop-linux", fix: "docker context use cove" },
];

const REQUESTS = ["GET /", "GET /products?page=2", "POST /cart", "GET /assets/app.css", "GET /products/1182", "GET /health"];

export function webLog(lines: number): LogEntry[] {
  return Array.from({ length: lines }, (_, at): LogEntry => {
    const bad = at % 17 === 11;
    const took = `${(at * 7) % 43}.${at % 10} ms`;
    const request = REQUESTS[at % REQUESTS.length] ?? "";
    return {
      stream: bad ? "stderr" : "stdout",
      time: ago((lines - at) * 2.3),
      text: bad ? `\u001b[33mwarn\u001b[0m  slow query (812 ms): select * from orders where state = 'open'` : `\u001b[32minfo\u001b[0m  ${request.padEnd(24)} \u001b[1m200\u001b[0m  \u001b[2m${took}\u001b[0m`,
      continues: false,
    };
  });
}

export function hostileLog(): LogEntry[] {
  const line = (text: string): LogEntry => ({ stream: "stdout", time: ago(5), text, continues: false });
  return [
    line(evil), line("\u202eright to left\u202c and back"), line("\u001b[2J\u001b[H\u001b]0;title\u0007cleared\u001b[?25l"), line("\u001b[999999999999m\u001b[38;5;300mcolours\u001b["),
    line("m".repeat(1 << 20)), line("\u0000\u0001\u0002\u0008\u0008\u0008"), line("مرحبا بالعالم, שלום, 안녕하세요"), line("a\rb\u000bc\u000cd"), line("\t\ttabs"), line("z̴͎̊ä̷́l̸̛g̶̈o̶".repeat(30)),
    line(`f${"\u0315\u0336".repeat(5000)}lood`), line("zero\u200bwidth\u2060and\u{e0041}tags"), line("\u001b]8;;javascript:window.__ran=1\u001b\\link\u001b]8;;\u001b\\"), line("👩‍👩‍👧‍👦".repeat(3000)),
  ];
}
