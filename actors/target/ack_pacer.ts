/** How far this end is, told to the source once a turn and only when it moved. Cumulative, in the channel's frame numbers. */
import type { FrameChannel } from "../../protocol/frame_channel.ts";

export class AckPacer {
  /** Frames applied through, and stable through. */
  applied = 0;
  stable = 0;
  readonly #channel: FrameChannel;
  readonly #atTurnEnd: (work: () => void) => void;
  #saidApplied = 0;
  #saidStable = 0;
  #posted = false;

  constructor(channel: FrameChannel, atTurnEnd: (work: () => void) => void) {
    this.#channel = channel;
    this.#atTurnEnd = atTurnEnd;
  }

  /** Says it when the turn ends; on a congested channel later, when `post` is called again because it drained. */
  post(): void {
    if (this.#posted) return;
    this.#posted = true;
    this.#atTurnEnd(() => {
      this.#posted = false;
      if (this.#channel.congested) return;
      if (this.applied === this.#saidApplied && this.stable === this.#saidStable) return;
      this.#saidApplied = this.applied;
      this.#saidStable = this.stable;
      this.#channel.sendAck({ appliedThrough: this.applied, stableThrough: this.stable });
    });
  }
}
