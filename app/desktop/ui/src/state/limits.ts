/** What the machine may be given: the rules of `app/machine` (settings.rs), said before the daemon has to. */

import type { Settings } from "../bridge";
import { binary } from "../format/quantities";
import type { Catalogue } from "../words/en";

export const GIB = 2 ** 30;
const MIB = 2 ** 20;
const LEAST_MEMORY = 256 * MIB;
const LEAST_DISK = GIB;
const MOST_DISK = 16 * 1024 * GIB;

/** The three fields as typed: a number of CPUs, gigabytes, gigabytes. */
export interface Typed {
  cpus: string;
  memory: string;
  disk: string;
}

/** A sentence for each field that cannot be saved. */
export type Wrong = Partial<Record<keyof Typed, string>>;

export function typed({ cpus, memoryBytes, diskBytes }: Settings): Typed {
  const gigabytes = (value: number): string => String(Number((value / GIB).toFixed(2)));
  return { cpus: String(cpus), memory: gigabytes(memoryBytes), disk: gigabytes(diskBytes) };
}

/** The values to save; whole mebibytes, as the daemon wants them. */
export function values({ cpus, memory, disk }: Typed): { cpus: number; memoryBytes: number; diskBytes: number } {
  const inBytes = (text: string): number => Math.round((number(text) * GIB) / MIB) * MIB;
  return { cpus: number(cpus), memoryBytes: inBytes(memory), diskBytes: inBytes(disk) };
}

export function check(input: Typed, settings: Settings, words: Catalogue["settings"]["invalid"]): Wrong {
  const { cpus, memoryBytes, diskBytes } = values(input);
  const wrong: Wrong = {};
  const most = Math.max(1, settings.hostCpus);
  if (Number.isNaN(cpus)) wrong.cpus = words.number;
  else if (!Number.isInteger(cpus)) wrong.cpus = words.whole;
  else if (cpus < 1 || (settings.hostCpus > 0 && cpus > most)) wrong.cpus = words.cpus(most);

  if (Number.isNaN(memoryBytes)) wrong.memory = words.number;
  else if (memoryBytes < LEAST_MEMORY) wrong.memory = words.memoryLow(binary(LEAST_MEMORY));
  else if (settings.hostMemoryBytes > 0 && memoryBytes > settings.hostMemoryBytes) wrong.memory = words.memoryHigh(binary(settings.hostMemoryBytes));

  if (Number.isNaN(diskBytes)) wrong.disk = words.number;
  else if (diskBytes < LEAST_DISK) wrong.disk = words.diskLow(binary(LEAST_DISK));
  else if (diskBytes < settings.diskBytes) wrong.disk = words.diskShrink(binary(settings.diskBytes));
  else if (diskBytes > MOST_DISK) wrong.disk = words.diskHigh(binary(MOST_DISK));
  return wrong;
}

/** A number as people of both languages type it; not a number for anything else. */
function number(text: string): number {
  const clean = text.trim().replace(",", ".");
  return /^\d+(\.\d+)?$/.test(clean) ? Number(clean) : Number.NaN;
}
