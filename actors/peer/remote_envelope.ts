/**
 * Pure: the runtime's own envelopes (remote watches and their downs) as they may come from another node, checked
 * field by field before the runtime sees them.
 */
import type { RemoteEnvelope } from "../../runtime/mod.ts";
import {
  anything,
  integer,
  isShapeFailure,
  oneOf,
  optional,
  record,
  type ShapeFailure,
  text,
  variantOf,
} from "../../protocol/shape.ts";

const name = text({ lengthMax: 256 });
const watch = integer({ min: 1 });
const reason = variantOf({
  normal: record({ kind: oneOf("normal") }),
  shutdown: record({ kind: oneOf("shutdown") }),
  killed: record({ kind: oneOf("killed") }),
  crashed: record({
    kind: oneOf("crashed"),
    error: text({ lengthMax: 1_024 }),
    stack: optional(text({ lengthMax: 0 })),
  }),
  intensity_exceeded: record({ kind: oneOf("intensity_exceeded"), child: name }),
  not_running: record({ kind: oneOf("not_running") }),
  node_down: record({ kind: oneOf("node_down"), node: name }),
});
const envelope = variantOf({
  tell: record({ kind: oneOf("tell"), name, message: anything }),
  watch: record({ kind: oneOf("watch"), watch, name }),
  unwatch: record({ kind: oneOf("unwatch"), watch }),
  down: record({ kind: oneOf("down"), watch, reason }),
});

/** The envelope, or what is wrong with it; then the session ends. */
export function checkRemoteEnvelope(value: unknown): RemoteEnvelope | ShapeFailure {
  const found = envelope.check(value, "link");
  return isShapeFailure(found) ? found : found as RemoteEnvelope;
}
