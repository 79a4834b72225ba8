/** The daemon's and the machine's state, as the shell pushes it, and what the user may do with the machine. */

import { bridge, type Engine, type Guest, type Machine, type MachineState, type StartPhase } from "../bridge";
import { Latest } from "./latest";
import { attempt, notices } from "./notices.svelte";

/** The phases of a start in their order. */
export const PHASES = ["prepare", "vmm", "kernel", "agent"] as const satisfies readonly StartPhase[];

class MachineStore {
  engine: Engine = $state({ state: "connecting", failure: null, appVersion: "" });
  machine: Machine | null = $state.raw(null);
  guest: Guest | null = $state.raw(null);
  /** What the user asked for and the daemon has not said yet. */
  asked: "start" | "stop" | "restart" | null = $state(null);
  /** When each phase of the present start began, in milliseconds of this computer's clock. */
  phases: Partial<Record<StartPhase, number>> = $state({});

  readonly state: MachineState = $derived(this.#state());
  readonly runs = $derived(this.machine?.status.state === "running");
  /** Changes with each piece of news of the machine, and not when its numbers are only asked for again. */
  readonly revision = $derived(this.machine?.status.revision ?? 0);
  readonly phase: StartPhase = $derived(this.machine?.status.phase ?? "unspecified");

  #measuring = false;
  #stale = false;

  #state(): MachineState {
    const state = this.machine?.status.state ?? "unspecified";
    if (this.asked === "start" && (state === "stopped" || state === "failed")) return "starting";
    if (this.asked === "stop" && state === "running") return "stopping";
    return state;
  }

  async open(): Promise<void> {
    const asked = new Latest();
    await bridge().listen("engine", (engine) => {
      asked.overtake();
      this.#reach(engine);
    });
    await bridge().listen("machine", (machine) => this.#take(machine));
    await asked.ask(() => bridge().call("engine_get"), (engine) => this.#reach(engine), (thrown) => notices.fail(thrown));
  }

  /** What was known of the machine is known no more without the daemon; the one that comes back may be another one. */
  #reach(engine: Engine): void {
    const back = engine.state === "connected" && this.engine.state !== "connected";
    this.engine = engine;
    if (engine.state === "lost") [this.machine, this.guest, this.phases] = [null, null, {}];
    if (back) this.refresh().catch((thrown: unknown) => notices.fail(thrown));
  }

  async refresh(): Promise<void> {
    this.#take(await bridge().call("machine_get"));
  }

  /** Asks for the numbers that no event brings. What happens while it asks makes it ask once more. */
  async measure(): Promise<void> {
    this.#stale = true;
    if (this.#measuring) return;
    this.#measuring = true;
    while (this.#stale && this.runs) {
      this.#stale = false;
      try {
        const guest = await bridge().call("guest_get");
        if (this.runs) this.guest = guest;
        await this.refresh();
      } catch {
        // Whoever does not answer is told of by the event `engine` or `machine`; until then the numbers stay.
      }
    }
    this.#measuring = false;
  }

  async retry(): Promise<void> {
    this.engine = { ...this.engine, state: "connecting", failure: null };
    await attempt(async () => this.#reach(await bridge().call("engine_retry")));
  }

  start = (): Promise<void> => this.#ask("start", "machine_start");
  stop = (): Promise<void> => this.#ask("stop", "machine_stop");
  restart = (): Promise<void> => this.#ask("restart", "machine_restart");

  async #ask(verb: "start" | "stop" | "restart", command: `machine_${typeof verb}`): Promise<void> {
    if (this.asked !== null) return;
    this.asked = verb;
    try {
      await bridge().call(command);
    } catch (thrown) {
      await this.refresh().catch(() => undefined);
      // A start that fails is a state of the machine, and is shown as that; all else is news.
      if (this.machine?.status.state !== "failed") notices.fail(thrown);
    }
    this.asked = null;
  }

  #take(machine: Machine): void {
    const before = this.machine?.status;
    if (before !== undefined && machine.status.revision < before.revision && before.since === machine.status.since) return;
    const { state, phase } = machine.status;
    if (state !== "starting") {
      this.phases = {};
    } else if (this.phases[phase] === undefined) {
      this.phases = { ...this.phases, [phase]: Date.now() };
    }
    if (state !== "running") this.guest = null;
    this.machine = machine;
  }
}

export const machine = new MachineStore();
