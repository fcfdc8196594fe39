/**
 * A switch of a simulated world: the sibling of `fence_agent.ts`, over a virtual clock. What its power feeds is the
 * world's own business (`onPower`); which of a real device's bad days it has is said beforehand.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { ParameterFinding } from "../agent_parameters.ts";
import type { DeviceCall, FenceAction, FenceDevice, OrderOutcome, PowerStatus } from "./fence_device.ts";

/**
 * `refuses`: orders and questions fail · `hangs`: nothing is answered · `lies`: takes orders and does nothing · `deaf`:
 * does what it is told and reports failure · `blind`: takes and does orders, knows no status.
 */
export type FenceFault = "refuses" | "hangs" | "lies" | "deaf" | "blind";

export interface SimulatedFenceOptions {
  readonly name: string;
  readonly clock: Clock;
  /** How long each call takes. Default 10. */
  readonly answersAfterMs?: number;
  /** From order to effect. Default 0. */
  readonly switchesAfterMs?: number;
  readonly onPower?: (power: FenceAction) => void;
  readonly findings?: readonly ParameterFinding[];
}

export class SimulatedFence implements FenceDevice {
  readonly name: string;
  readonly #options: SimulatedFenceOptions;
  /** How the world began: on. */
  power: FenceAction = "on";
  fault: FenceFault | undefined;
  /** Every call so far: `off`, `on`, `status`; the last 1 000. */
  readonly calls: string[] = [];

  constructor(options: SimulatedFenceOptions) {
    this.#options = options;
    this.name = options.name;
  }

  async order(action: FenceAction, call: DeviceCall): Promise<OrderOutcome> {
    this.#note(action);
    const { clock, switchesAfterMs = 0 } = this.#options;
    const carriesOut = this.fault === undefined || this.fault === "deaf" || this.fault === "blind";
    if (carriesOut) clock.after(switchesAfterMs, () => this.#switch(action));
    const fault = this.fault;
    if (!await this.#answer(call)) return { ok: false, cause: "did not answer in time" };
    if (fault === "refuses" || fault === "deaf") return { ok: false, cause: "refused" };
    return { ok: true };
  }

  async status(call: DeviceCall): Promise<PowerStatus> {
    this.#note("status");
    if (!await this.#answer(call)) return { kind: "unknown", cause: "did not answer in time" };
    if (this.fault === "refuses" || this.fault === "blind") return { kind: "unknown", cause: "refused" };
    return { kind: this.power };
  }

  check(): Promise<readonly ParameterFinding[]> {
    return Promise.resolve(this.#options.findings ?? []);
  }

  /** False when it took longer than the call allows. */
  #answer(call: DeviceCall): Promise<boolean> {
    const { clock, answersAfterMs = 10 } = this.#options;
    const late = this.fault === "hangs" || answersAfterMs > call.timeoutMs;
    return new Promise((resolve) =>
      clock.after(late ? call.timeoutMs : answersAfterMs, () => resolve(!late))
    );
  }

  #switch(power: FenceAction): void {
    if (this.power === power) return;
    this.power = power;
    this.#options.onPower?.(power);
  }

  #note(call: string): void {
    this.calls.push(call);
    if (this.calls.length > 1_000) this.calls.shift();
  }
}
