/**
 * A mailbox's bounds with their defaults filled in. Options that many actors share are filled in once, so that a thousand
 * actors of one kind hold one object.
 */
import type { Lane, MailboxOptions } from "./actor.ts";
import { invariant } from "./invariant.ts";

export const CONTROL_MAX_DEFAULT = 65_536;
export const DATA_MAX_DEFAULT = 1_024;

export class LaneLimits {
  readonly lane: ((message: unknown) => Lane) | undefined;
  readonly controlMax: number;
  readonly dataMax: number;
  readonly atDataMax: "refuse" | "drop_oldest" | "crash";

  constructor(options: MailboxOptions<unknown>) {
    this.lane = options.lane;
    this.controlMax = options.controlMax ?? CONTROL_MAX_DEFAULT;
    this.dataMax = options.dataMax ?? DATA_MAX_DEFAULT;
    this.atDataMax = options.atDataMax ?? "refuse";
    invariant(this.controlMax >= 1 && this.dataMax >= 1, "every lane of a mailbox has room for one message");
  }

  static readonly #known = new WeakMap<object, LaneLimits>();
  static readonly #defaults = new LaneLimits({});

  static of(options: MailboxOptions<never> | undefined): LaneLimits {
    if (options === undefined) return LaneLimits.#defaults;
    let limits = LaneLimits.#known.get(options);
    if (limits === undefined) {
      limits = new LaneLimits(options as MailboxOptions<unknown>);
      LaneLimits.#known.set(options, limits);
    }
    return limits;
  }
}
