/**
 * A channel whose owner may be killed. Pure.
 *
 * What an owner hands to its channel is guarded: after the owner's death it does nothing. But then a killed owner leaves
 * a connection that is open and deaf, and the other side believes in it until some silence has lasted too long, with its
 * clients waiting. So the first frame that finds nobody ends the channel; the other side learns of it with its next word.
 * A watcher beside every owner was rejected: it would be one more thing that can be forgotten.
 */
import type { FrameChannel, FrameSink } from "./frame_channel.ts";

/**
 * @param owner.guard wraps a call so that it is made only while the owner lives, and a throw in it is the owner's end
 */
export function ownedSink(
  channel: Pick<FrameChannel, "destroy">,
  { guard, sink }: {
    guard: <A extends unknown[]>(work: (...args: A) => void) => (...args: A) => void;
    sink: FrameSink;
  },
): FrameSink {
  let reached = false;
  const arriving = <A extends unknown[]>(work: (...args: A) => void): (...args: A) => void => {
    const guarded = guard((...args: A) => {
      reached = true;
      work(...args);
    });
    return (...args) => {
      reached = false;
      guarded(...args);
      if (!reached) channel.destroy("whoever held this end of the connection is gone");
    };
  };
  return {
    frame: arriving((frame) => sink.frame(frame)),
    message: arriving((value) => sink.message(value)),
    drained: guard(() => sink.drained()),
    ended: guard((end) => sink.ended(end)),
  };
}
