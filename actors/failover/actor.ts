/**
 * The failover actor of a node: holds one machine per group, performs what they order, and brings every outcome back as
 * an event. It decides nothing.
 *
 * A restarted incarnation has forgotten the leases that its voters granted; it becomes target everywhere, reads its votes
 * again and lets `voter.ts` wait for what may have been forgotten, exactly as after a restart of the node.
 */
import type { ActorContext, ActorSpec, Behavior, ReplyTo, TimerHandle } from "../../runtime/mod.ts";
import type { Effect, GroupEvent, VoteReady } from "./effects.ts";
import type { FailoverOptions } from "./environment.ts";
import { GroupMachine } from "./machine.ts";
import type { FailoverMessage, StopOutcome, VoteFile, VoteOpened } from "./messages.ts";
import { parseRemote } from "./remote_shapes.ts";
import { BLANK_VOTE, decodeVote, encodeVote } from "./vote_format.ts";
import { isShapeFailure } from "../../protocol/shape.ts";

export type { FailoverMessage } from "./messages.ts";

/** A machine that wants to be woken now is woken soon: whatever it got wrong, it never spins. */
const WAKE_AFTER_MS = 1;
/** How late a wake may be asked for; machines look around at least this often, in heartbeat intervals. */
const IDLE_INTERVALS = 4;

interface Group {
  readonly name: string;
  readonly machine: GroupMachine;
  file: VoteFile | null;
  timer: TimerHandle | null;
}

export function failover(options: FailoverOptions): ActorSpec<FailoverMessage> {
  return { name: "failover", kind: "failover", start: (context) => new Failover(context, options) };
}

class Failover implements Behavior<FailoverMessage> {
  readonly #context: ActorContext<FailoverMessage>;
  readonly #options: FailoverOptions;
  readonly #incarnation: string;
  readonly #groups = new Map<string, Group>();
  #stop:
    | { readonly reply: ReplyTo<StopOutcome>; readonly resigned: string[]; readonly abandoned: string[] }
    | null = null;

  constructor(context: ActorContext<FailoverMessage>, options: FailoverOptions) {
    this.#context = context;
    this.#options = options;
    // A restarted actor never takes an answer to, or a grant of, the one before it for its own.
    this.#incarnation = `${options.incarnation}.${context.incarnation}`;
    const { node, intervalMs, leaseMs, environment } = options;
    const startedAtMs = context.now();
    for (const plan of options.groups) {
      const machine = new GroupMachine({
        node,
        plan,
        intervalMs,
        leaseMs,
        startedAtMs,
      });
      this.#groups.set(plan.group, { name: plan.group, machine, file: null, timer: null });
    }
    for (const { name } of this.#groups.values()) {
      environment.becomeTarget(
        name,
        "the failover actor starts",
        this.#reply(() => ({ kind: "became_target", group: name })),
      );
      context.pipe(
        environment.openVote(name),
        (opened) => ({ kind: "vote_opened", group: name, opened }),
        (error) => ({ kind: "vote_opened", group: name, opened: unopened(error) }),
      );
    }
    for (const peer of environment.peers()) {
      if (peer.state === "up" && peer.incarnation !== null) {
        this.receive({ kind: "peer_up", node: peer.node, incarnation: peer.incarnation });
      }
    }
    for (const group of this.#groups.values()) this.#schedule(group);
  }

  receive(message: FailoverMessage): void {
    switch (message.kind) {
      case "remote":
        return this.#remote(message);
      case "heartbeat_summary":
        for (const summary of message.groups) {
          const group = this.#groups.get(summary.group);
          if (group !== undefined) this.#step(group, { kind: "summary", from: message.from, summary });
        }
        return;
      case "peer_up":
      case "peer_suspected":
      case "peer_down":
        for (const group of this.#groups.values()) this.#step(group, message);
        return;
      case "stop_gracefully":
        this.#stop = { reply: message.reply, resigned: [], abandoned: [] };
        for (const group of this.#groups.values()) this.#step(group, { kind: "stop_gracefully" });
        return this.#settleStop();
      case "status_requested": {
        const moment = this.#moment();
        return message.reply.reply([...this.#groups.values()].map(({ machine }) => machine.status(moment)));
      }
      case "switchover":
        if (!this.#groups.has(message.group)) {
          return message.reply.reply({
            ok: false,
            reason: `${this.#options.node} holds no replica of ${message.group}`,
            remedy: "ask a node that holds one: holdfast status names them",
          });
        }
        break;
      case "record_change":
        if (!this.#groups.has(message.group)) {
          return message.reply.reply({ kind: "lost", cause: `no such group: ${message.group}` });
        }
        break;
      default:
        break;
    }
    const group = this.#groups.get(message.group);
    if (group === undefined) return;
    switch (message.kind) {
      case "wake":
        group.timer = null;
        return this.#step(group, {
          kind: "wake",
          healthy: this.#options.environment.healthy(),
          ids: { generationId: this.#context.random.hex(32), groupId: this.#context.random.hex(32) },
        });
      case "vote_opened":
        group.file = message.opened.ok ? message.opened.file : null;
        return this.#step(group, { kind: "vote_ready", opened: readVote(message.opened, message.group) });
      default:
        return this.#step(group, message);
    }
  }

  inspect(): unknown {
    const moment = this.#moment();
    return [...this.#groups.values()].map(({ machine }) => machine.status(moment));
  }

  #remote(message: Extract<FailoverMessage, { kind: "remote" }>): void {
    const body = parseRemote(message.body);
    const { environment } = this.#options;
    if (isShapeFailure(body)) {
      environment.event("malformed_message", { from: message.from, problem: body.detail });
      return;
    }
    const group = this.#groups.get(body.group);
    if (group === undefined) return;
    this.#step(group, { kind: "remote", from: message.from, incarnation: message.incarnation, body });
  }

  #step(group: Group, event: GroupEvent): void {
    for (const effect of group.machine.step(event, this.#moment())) this.#perform(group, effect);
    this.#schedule(group);
  }

  #perform(group: Group, effect: Effect): void {
    const { environment, node } = this.#options;
    const { name } = group;
    switch (effect.kind) {
      case "send":
        if (effect.to === node) {
          this.#context.self.tell({
            kind: "remote",
            from: node,
            incarnation: this.#incarnation,
            body: effect.body,
          });
        } else environment.send(effect.to, effect.body);
        return;
      case "store":
        return this.#store(group, encodeVote(effect.vote));
      case "seal": {
        const { number } = effect;
        return environment.seal(
          name,
          number,
          this.#reply((answer) => ({ kind: "sealed", group: name, number, answer })),
        );
      }
      case "become_source":
        return environment.becomeSource(name, effect.opening);
      case "become_target":
        return environment.becomeTarget(
          name,
          effect.cause,
          this.#reply(() => ({ kind: "became_target", group: name })),
        );
      case "tell_mirror":
        return environment.tellMirror(name, effect.message);
      case "publish":
        return environment.summaryChanged(effect.summary);
      case "note":
        return environment.event(effect.event, effect.fields);
      case "answer_change":
        return effect.reply.reply(effect.outcome);
      case "answer_switchover":
        return effect.reply.reply(effect.outcome);
      case "stopped":
        (effect.resigned ? this.#stop?.resigned : this.#stop?.abandoned)?.push(name);
        return this.#settleStop();
    }
  }

  #store({ name, file }: Group, bytes: Uint8Array): void {
    if (file === null) {
      this.#context.self.tell({ kind: "vote_stored", group: name, failure: "the vote file is not open" });
      return;
    }
    this.#context.pipe(
      file.store(bytes),
      (failure) => ({ kind: "vote_stored", group: name, failure: failure?.detail ?? null }),
      (error) => ({ kind: "vote_stored", group: name, failure: error.message }),
    );
  }

  #settleStop(): void {
    const stop = this.#stop;
    if (stop === null || stop.resigned.length + stop.abandoned.length < this.#groups.size) return;
    this.#stop = null;
    stop.reply.reply({ resigned: stop.resigned, abandoned: stop.abandoned });
  }

  /** The one timer of a group, at the machine's next deadline. */
  #schedule(group: Group): void {
    const { intervalMs } = this.#options;
    const moment = this.#moment();
    const delayMs = Math.min(
      Math.max(WAKE_AFTER_MS, group.machine.wakeAtMs(moment) - moment.nowMs),
      IDLE_INTERVALS * intervalMs,
    );
    const deadlineMs = moment.nowMs + delayMs;
    if (group.timer !== null) {
      if (group.timer.deadlineMs <= deadlineMs) return;
      this.#context.cancel(group.timer);
    }
    group.timer = this.#context.after(delayMs, { kind: "wake", group: group.name });
  }

  /** An answer to this incarnation alone. */
  #reply<A>(toMessage: (answer: A) => FailoverMessage): ReplyTo<A> {
    return { reply: this.#context.guard((answer: A) => void this.#context.self.tell(toMessage(answer))) };
  }

  #moment(): { nowMs: number; wallMs: number } {
    return { nowMs: this.#context.now(), wallMs: this.#context.clock.wall() };
  }
}

function unopened(error: Error): VoteOpened {
  return {
    ok: false,
    cause: `the vote file cannot be opened: ${error.message}`,
    remedy: "look at the state directory",
  };
}

function readVote(opened: VoteOpened, group: string): VoteReady {
  if (!opened.ok) return opened;
  if (opened.file.payload === null) return { ok: true, vote: BLANK_VOTE };
  const vote = decodeVote(opened.file.payload);
  if (!isShapeFailure(vote)) return { ok: true, vote };
  return {
    ok: false,
    cause: `the vote file of group ${group} holds something else: ${vote.detail}`,
    remedy: `move votes/${group} in the state directory aside only if this node's vote was never used`,
  };
}
