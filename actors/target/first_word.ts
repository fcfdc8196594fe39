/**
 * The first word on a leg's connection: who offers what generation. It is read before anything is given up for it.
 *
 * A source that was cut off goes on dialling. If its mere connection ended the session with the source in force, the
 * member would leave the set and join again each time the stale one tries.
 */
import type { FrameChannel, FrameSink } from "../../protocol/frame_channel.ts";
import { type LegToTarget, legToTarget } from "../../protocol/leg_messages.ts";
import { ownedSink } from "../../protocol/owned_sink.ts";
import { isShapeFailure } from "../../protocol/shape.ts";

export type LegOpen = Extract<LegToTarget, { kind: "leg_open" }>;

/** Calls `opened` with the channel paused behind the word, or ends the channel and calls `failed`; one of them, once. */
export function readFirstWord(
  channel: FrameChannel,
  { guard, opened, failed }: {
    guard: <A extends unknown[]>(work: (...args: A) => void) => (...args: A) => void;
    opened: (word: LegOpen) => void;
    failed: (cause: string) => void;
  },
): void {
  let over = false;
  const end = (cause: string): void => {
    if (over) return;
    over = true;
    channel.destroy(cause);
    failed(cause);
  };
  const sink: FrameSink = {
    frame: ({ kind }) => end(`a ${kind} frame came before the plan was agreed`),
    message: (value) => {
      const word = legToTarget.check(value, "");
      if (isShapeFailure(word)) return end(`the source sent a message in which ${word.detail}`);
      if (word.kind !== "leg_open") return end(`${word.kind} came before the states were told`);
      over = true;
      channel.pause();
      opened(word);
    },
    drained: () => {},
    ended: ({ detail }) => end(detail),
  };
  channel.receive(ownedSink(channel, { guard, sink }));
  channel.resume();
}
