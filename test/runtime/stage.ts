/**
 * A stage for runtime tests: a simulated world and players that write what happens to them into one transcript.
 *
 * A player takes texts: `boom` crashes it, `stop` stops it normally, everything else is noted.
 */
import type {
  ActorContext,
  ActorSpec,
  ActorSystem,
  ChildSpec,
  MailboxOptions,
  Ref,
  Restart,
} from "../../runtime/mod.ts";
import { describeReason, SimulatedWorld } from "../../runtime/mod.ts";
import { invariant } from "../../runtime/invariant.ts";

export interface PlayerOptions {
  readonly mailbox?: MailboxOptions<string>;
  /** How often `start` throws before it succeeds. */
  readonly failingStarts?: number;
  /** What `stopping` waits for. */
  readonly stopping?: () => void | Promise<void>;
  readonly started?: (context: ActorContext<string>) => void;
  readonly received?: (message: string, context: ActorContext<string>) => void;
}

export interface Stage {
  readonly world: SimulatedWorld;
  readonly system: ActorSystem;
  readonly transcript: string[];
  player(name: string, options?: PlayerOptions): ActorSpec<string>;
  /** The actor at a path; it must exist. */
  at(path: string): Ref<string>;
  /** What was written since the last call. */
  heard(): string[];
}

export function stage(options: { readonly seed?: number; readonly shuffled?: boolean } = {}): Stage {
  const world = new SimulatedWorld({ seed: options.seed ?? 1, shuffled: options.shuffled ?? false });
  const system = world.createSystem();
  const transcript: string[] = [];
  return {
    world,
    system,
    transcript,
    player: (name, player = {}) => playerOf(transcript, name, player),
    at: (path) => {
      const cells = system as unknown as { cellAt(path: string): Ref<string> | undefined };
      const ref = cells.cellAt(path);
      invariant(ref !== undefined, `there is an actor at ${path}`);
      return ref;
    },
    heard: () => transcript.splice(0),
  };
}

function playerOf(transcript: string[], name: string, options: PlayerOptions): ActorSpec<string> {
  let failing = options.failingStarts ?? 0;
  return {
    name,
    ...(options.mailbox === undefined ? {} : { mailbox: options.mailbox }),
    start(context) {
      if (failing > 0) {
        failing -= 1;
        transcript.push(`${name} fails to start`);
        throw new Error("no start");
      }
      transcript.push(`${name} starts`);
      options.started?.(context);
      return {
        receive(message) {
          if (message === "boom") throw new Error("boom");
          if (message === "stop") return context.stopSelf();
          transcript.push(`${name} gets ${message}`);
          options.received?.(message, context);
        },
        stopping(reason) {
          transcript.push(`${name} stops: ${describeReason(reason)}`);
          return options.stopping?.();
        },
        inspect: () => ({ name }),
      };
    },
  };
}

export function kept<M>(spec: ActorSpec<M>, restart: Restart = "permanent"): ChildSpec<M> {
  return { spec, restart };
}
