/** The parts of the way from a command to a container, with this machine's values and a proof for each. */

import type { Container, Guest, Isolation, Machine } from "../bridge";
import { binary, bytes, micros } from "../format/quantities";
import { cut, visible } from "../format/untrusted";
import type { Catalogue } from "../words/en";

export const PARTS = ["client", "daemon", "hypervisor", "vsock", "kernel", "agent", "container"] as const;
export type Part = (typeof PARTS)[number];

/** One part, drawn. */
export interface Station {
  part: Part;
  /** Where it is on the way, from 1. */
  number: number;
  /** Its live values: what it is, and a second line. */
  value: string;
  note: string;
  /** A command that shows the same outside of this window. */
  proof: string;
  /** Whether it is there now. */
  live: boolean;
}

/** What the drawing shows. `newest` is a running container and how it is walled off. */
export function stations(words: Catalogue["works"], machine: Machine, guest: Guest | null, newest: { container: Container; isolation: Isolation | null } | null): Station[] {
  const { status, hardware, transport, host, image } = machine;
  const runs = status.state === "running";
  const there = runs ? "" : words.notRunning;
  // While it starts the parts come one after the other, as the phases do.
  const booted = runs || (status.state === "starting" && status.phase === "agent");
  const owned = transport.helperPid > 0;
  const values: Record<Part, Omit<Station, "part" | "number">> = {
    client: {
      value: "docker · compose · cove",
      note: platform(host),
      proof: 'docker version --format "{{.Client.Os}}/{{.Client.Arch}}"',
      live: true,
    },
    daemon: {
      value: `coved ${host.daemonVersion}`,
      note: words.pid(host.daemonPid),
      proof: process(host.os, host.daemonPid),
      live: true,
    },
    hypervisor: {
      value: called(hardware.hypervisor),
      note: owned ? join(called(hardware.accelerator), words.cpus(hardware.cpus), binary(hardware.memoryBytes), words.pid(transport.helperPid)) : there,
      proof: owned ? process(host.os, transport.helperPid) : "cove doctor",
      live: owned,
    },
    vsock: {
      value: runs ? words.cid(transport.cid) : "",
      note: runs ? join(words.port(transport.agentPort), transport.agentRoundTripMicros > 0 ? micros(transport.agentRoundTripMicros) : "") : there,
      proof: "cove explain",
      live: runs,
    },
    kernel: {
      value: image.kernelRelease,
      note: `Linux · ${image.arch}`,
      proof: 'docker info --format "{{.KernelVersion}}"',
      live: booted,
    },
    agent: {
      value: `cove-guest ${image.agentVersion}`,
      note: guest ? join(words.pid(guest.agentPid), bytes(guest.agentResidentBytes)) : there,
      proof: 'docker version --format "{{.Server.Os}}/{{.Server.Arch}}"',
      live: runs,
    },
    container: {
      value: newest ? visible(cut(newest.container.name, 60)) : runs ? words.noContainer : "",
      note: newest?.isolation ? join(words.inContainer(newest.isolation.containerPid), words.inMachine(newest.isolation.pid)) : there,
      // Names hold only letters, digits and "_.-": safe to type.
      proof: newest ? `cove explain ${newest.container.name.replace(/[^\w.-]/g, "")}` : "cove ps",
      live: newest !== null,
    },
  };
  return PARTS.map((part, index) => ({ part, number: index + 1, ...values[part] }));
}

/** "darwin/arm64". */
export function platform({ os, arch }: { os: string; arch: string }): string {
  return `${os}/${arch}`;
}

/** Names that are abbreviations, as their makers write them. */
function called(name: string): string {
  return /^(qemu|kvm|tcg|hcs)$/.test(name) ? name.toUpperCase() : name;
}

function process(os: string, pid: number): string {
  return os === "windows" ? `tasklist /FI "PID eq ${pid}"` : `ps -o pid,args -p ${pid}`;
}

function join(...facts: string[]): string {
  return facts.filter((fact) => fact !== "").join(" · ");
}
