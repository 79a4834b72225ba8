import { describe, expect, test } from "vitest";

import { stations } from "../drawing/parts";
import { containers, guest, isolation, machineIn, settings } from "../mock/scenes";
import { en } from "../words/en";
import { failureOf } from "./failures";
import { moved } from "./keys";
import { check, typed, values } from "./limits";

describe("settings", () => {
  const words = en.settings.invalid;
  test("what is saved can be typed and comes back the same", () => {
    expect(values(typed(settings))).toEqual({ cpus: 4, memoryBytes: 2 ** 32, diskBytes: 2 ** 36 });
  });
  test("the daemon's rules are said at the field", () => {
    expect(check({ cpus: "11", memory: "0.1", disk: "8" }, settings, words)).toEqual({
      cpus: "Choose 1 to 10.",
      memory: "At least 256 MB: Linux and the agent need it.",
      disk: "At least 64 GB: the disk can grow, not shrink.",
    });
    expect(check({ cpus: "1.5", memory: "", disk: "-1" }, settings, words)).toEqual({ cpus: words.whole, memory: words.number, disk: words.number });
  });
  test("both decimal marks are understood, and bytes are whole mebibytes", () => {
    const { memoryBytes } = values({ cpus: "2", memory: "1,3", disk: "64" });
    expect(memoryBytes % 2 ** 20).toBe(0);
    expect(check({ cpus: "2", memory: "1,3", disk: "64" }, settings, words)).toEqual({});
  });
});

test("a failed machine says what, why and what to do", () => {
  const failure = failureOf(machineIn("failed").status, en);
  expect(failure.what).toContain("QEMU is not installed");
  expect(failure.fix).toContain("apt install");
  expect(failureOf({ ...machineIn("failed").status, failure: "", lastExit: "panic" }, en)).toMatchObject({ what: en.machine.failed, why: en.machine.exit.panic });
});

describe("how it works", () => {
  const [container] = containers;
  test("a running machine is drawn with its values", () => {
    const list = stations(en.works, machineIn("running"), guest, container ? { container, isolation } : null);
    expect(list.map(({ live }) => live)).toEqual([true, true, true, true, true, true, true]);
    expect(list[3]?.value).toBe("CID 3");
    expect(list[3]?.note).toBe("port 1024 · 410 µs");
    expect(list[6]?.note).toBe("pid 1 inside · 389 outside");
  });
  test("a stopped machine has only this computer's half", () => {
    const list = stations(en.works, machineIn("stopped"), null, null);
    expect(list.filter(({ live }) => live).map(({ part }) => part)).toEqual(["client", "daemon"]);
  });
  test("while it starts the parts come as the phases do", () => {
    const machine = machineIn("starting");
    const at = (phase: "prepare" | "kernel" | "agent", helperPid: number): string[] =>
      stations(en.works, { ...machine, status: { ...machine.status, phase }, transport: { ...machine.transport, helperPid } }, null, null)
        .filter(({ live }) => live).map(({ part }) => part);
    expect([at("prepare", 0), at("kernel", 4312), at("agent", 4312)]).toEqual([
      ["client", "daemon"], ["client", "daemon", "hypervisor"], ["client", "daemon", "hypervisor", "kernel"],
    ]);
  });
  test("a proof never carries what a container's name would make a shell do", () => {
    const evil = container && { container: { ...container, name: "a;rm -rf $(x)" }, isolation: null };
    expect(stations(en.works, machineIn("running"), guest, evil ?? null)[6]?.proof).toBe("cove explain arm-rfx");
  });
});

test("arrows stop at the ends", () => {
  expect([moved("ArrowDown", 4, 5), moved("ArrowUp", 0, 5), moved("ArrowUp", -1, 5), moved("End", 0, 5), moved("a", 0, 5), moved("ArrowDown", 0, 0)]).toEqual([4, 0, 4, 4, null, null]);
});
