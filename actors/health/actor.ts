/**
 * Watches the main loop, the disks and the clocks of this node; `machine.ts` judges. The actor ticks, probes the disk
 * of the state directory and reports changes as events.
 *
 * A heartbeat thread of its own was left out: peers judge a node by what its main loop sends, which is the stricter
 * way round. The price is that a busy loop looks like a dead node a little earlier.
 */
import type { ActorContext, ActorSpec, Behavior } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/invariant.ts";
import type { HealthEnvironment } from "./environment.ts";
import { HealthMachine, type WaitingDisk } from "./machine.ts";
import type { HealthMessage, HealthStatus } from "./messages.ts";

const PROBE_PERIOD_MS = 1_000;
/** Status shows the worst of this many ticks. */
const DELAY_TICKS = 10;

export function healthActor(environment: HealthEnvironment): ActorSpec<HealthMessage> {
  return { name: "health", start: (context) => new Health(environment, context) };
}

class Health implements Behavior<HealthMessage> {
  readonly #environment: HealthEnvironment;
  readonly #context: ActorContext<HealthMessage>;
  readonly #machine: HealthMachine;
  readonly #delaysMs: number[] = [];
  #probeSinceMs: number | null = null;
  #probeCause: string | null = null;

  constructor(environment: HealthEnvironment, context: ActorContext<HealthMessage>) {
    this.#environment = environment;
    this.#context = context;
    this.#machine = new HealthMachine(environment.limits, this.#look());
    environment.vitals.judgedBy((nowMs) => this.#machine.judge(nowMs, this.#waitingDisks()));
    context.every(environment.limits.tickMs, { kind: "tick" });
    context.every(PROBE_PERIOD_MS, { kind: "probe_due" });
  }

  receive(message: HealthMessage): void {
    switch (message.kind) {
      case "tick":
        return this.#tick();
      case "probe_due":
        return this.#probe();
      case "probe_ended":
        return this.#probeEnded(message.cause);
      case "status_requested":
        return message.reply.reply(this.#status());
      default:
        assertNever(message);
    }
  }

  inspect(): unknown {
    return this.#status();
  }

  #tick(): void {
    for (const effect of this.#machine.tick(this.#look())) {
      switch (effect.kind) {
        case "report_event":
          this.#environment.event(effect.name, effect.fields);
          break;
        case "observe_delay":
          this.#delaysMs.push(effect.delayMs);
          if (this.#delaysMs.length > DELAY_TICKS) this.#delaysMs.shift();
          break;
        default:
          assertNever(effect);
      }
    }
  }

  #probe(): void {
    // One at a time: a probe that hangs is what is being looked for, and its age is the answer.
    if (this.#probeSinceMs !== null) return;
    this.#probeSinceMs = this.#context.now();
    this.#context.pipe(
      this.#environment.probe.run(),
      (outcome) => ({ kind: "probe_ended", cause: outcome?.detail ?? null }),
      (error) => ({ kind: "probe_ended", cause: error.message }),
    );
  }

  #probeEnded(cause: string | null): void {
    this.#probeSinceMs = null;
    if (cause === this.#probeCause) return;
    this.#probeCause = cause;
    if (cause === null) {
      this.#environment.event("probe_succeeded", { cause: `${this.#environment.probe.name} answers again` });
    } else this.#environment.event("probe_failed", { cause });
  }

  #look(): { nowMs: number; wallMs: number; waitingDisks: readonly WaitingDisk[] } {
    return {
      nowMs: this.#context.now(),
      wallMs: this.#context.clock.wall(),
      waitingDisks: this.#waitingDisks(),
    };
  }

  #waitingDisks(): readonly WaitingDisk[] {
    const disks = this.#environment.waitingDisks();
    if (this.#probeSinceMs === null) return disks;
    return [...disks, { name: this.#environment.probe.name, sinceMs: this.#probeSinceMs }];
  }

  #status(): HealthStatus {
    const nowMs = this.#context.now();
    return {
      ...this.#machine.judge(nowMs, this.#waitingDisks()),
      loopDelayMs: Math.max(0, ...this.#delaysMs),
      waitingDisks: this.#waitingDisks().map((disk) => ({ name: disk.name, forMs: nowMs - disk.sinceMs })),
    };
  }
}
