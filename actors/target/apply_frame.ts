/** One frame of the stream on this replica's disk: may it be applied now (I5), and doing it. */
import { assertNever, invariant } from "../../runtime/invariant.ts";
import { FLAG_NO_HOLE } from "../../protocol/frame_header.ts";
import type { DiskOutcome, MaybeLater } from "../../volume/block_device.ts";
import type { VolumeStore } from "../../volume/group_store.ts";
import type { WaitingFrame } from "./apply_queue.ts";

export interface StreamPlace {
  /** Inside a resync window seq may jump over what copies bring; outside it never does. */
  readonly phase: "window" | "replicating" | "listening";
  readonly lastSeq: number;
}

/** Why a frame cannot be applied; `null` when it can. */
export function refusalOf(
  frame: WaitingFrame,
  { place, volume }: { place: StreamPlace; volume: VolumeStore | undefined },
): string | null {
  if (place.phase === "listening") return `a ${frame.kind} frame came before the window was opened or closed`;
  const isCopy = frame.kind === "copy" || frame.kind === "copy_zeroes";
  if (isCopy && place.phase !== "window") return "a copy came outside a resync window";
  const next = place.lastSeq + 1;
  if (!isCopy && place.phase === "replicating" && frame.seq !== next) {
    return `I5: seq ${frame.seq} came where ${next} was due`;
  }
  if (!isCopy && place.phase === "window" && frame.seq < next) {
    return `I5: seq ${frame.seq} came after ${place.lastSeq}`;
  }
  if (frame.kind === "barrier") return null;
  if (volume === undefined) return `there is no volume ${frame.volume} in the group`;
  if (frame.offset + frame.span > volume.size) {
    return `bytes ${frame.offset} to ${frame.offset + frame.span} are outside volume ${volume.name}`;
  }
  const { heatBytesMax } = volume.intentLog;
  if (frame.span > heatBytesMax) {
    return `a ${frame.kind} frame covers ${frame.span} bytes, at most ${heatBytesMax} go at once`;
  }
  return null;
}

/** Marks towards everybody, then changes the blocks. The range is pinned (I3). */
export function applyFrame(frame: WaitingFrame, volume: VolumeStore | undefined): MaybeLater<DiskOutcome> {
  if (frame.kind === "barrier") return null;
  invariant(
    volume !== undefined && frame.pinned,
    "I3: the intent of a frame is durable before it is applied",
  );
  volume.intentLog.mark(frame.offset, frame.span, frame.seq);
  switch (frame.kind) {
    case "write":
    case "copy":
      return volume.device.write(frame.offset, frame.payload);
    case "trim":
    case "write_zeroes":
    case "copy_zeroes":
      return volume.device.writeZeroes(frame.offset, frame.span, {
        punch: (frame.flags & FLAG_NO_HOLE) === 0,
      });
    default:
      return assertNever(frame.kind);
  }
}
