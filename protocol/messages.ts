/**
 * Pure: what travels on the control connection between two nodes.
 *
 * Four envelopes, as compact tuples whose first item says which: `tell` brings a message to a registered actor of the
 * other node, `link` carries the runtime's own business (remote watches and their downs), `heartbeat` and
 * `heartbeat_ack` are the failure detector's, with a summary of each group on board so that everybody knows who
 * claims to be source of what. Bodies are checked by whoever understands them; here only the envelope is.
 */
import type { Position } from "./position.ts";
import {
  aName,
  anything,
  integer,
  isShapeFailure,
  listOf,
  nullable,
  number,
  oneOf,
  type Shaped,
  ShapeFailure,
  text,
  tuple,
} from "./shape.ts";

/** What a node says about one of its groups in each heartbeat. */
export interface GroupSummary {
  readonly group: string;
  readonly role: "source" | "target" | "none";
  /** The highest generation number this node has seen in force. */
  readonly generation: number;
  readonly position: Position;
  /** Who is source of that generation, as far as this node knows. */
  readonly source: string | null;
}

export type Envelope =
  | { readonly kind: "tell"; readonly to: string; readonly from: string; readonly body: unknown }
  | { readonly kind: "link"; readonly body: unknown }
  | {
    readonly kind: "heartbeat";
    /** The sender's monotonic milliseconds; comes back unchanged, means nothing to anybody else. */
    readonly sentAt: number;
    /** Counts the heartbeats of one connection. */
    readonly seq: number;
    readonly groups: readonly GroupSummary[];
  }
  | { readonly kind: "heartbeat_ack"; readonly sentAt: number; readonly seq: number };

export const ACTOR_NAME_LENGTH_MAX = 256;
export const GROUPS_MAX = 1_024;

const TELL = 1;
const LINK = 2;
const HEARTBEAT = 3;
const HEARTBEAT_ACK = 4;

const actorName = text({ lengthMax: ACTOR_NAME_LENGTH_MAX });
const monotonicMs = number({ min: 0, max: Number.MAX_SAFE_INTEGER });
const summaryShape = tuple(
  aName,
  oneOf("source", "target", "none"),
  integer(),
  integer(),
  integer(),
  nullable(aName),
);
const tellShape = tuple(oneOf(TELL), actorName, actorName, anything);
const linkShape = tuple(oneOf(LINK), anything);
const heartbeatShape = tuple(
  oneOf(HEARTBEAT),
  monotonicMs,
  integer(),
  listOf(summaryShape, { lengthMax: GROUPS_MAX }),
);
const heartbeatAckShape = tuple(oneOf(HEARTBEAT_ACK), monotonicMs, integer());

/** The tuple to hand to `channel.sendMessage`. */
export function packEnvelope(envelope: Envelope): unknown {
  switch (envelope.kind) {
    case "tell":
      return [TELL, envelope.to, envelope.from, envelope.body];
    case "link":
      return [LINK, envelope.body];
    case "heartbeat":
      return [HEARTBEAT, envelope.sentAt, envelope.seq, envelope.groups.map(packSummary)];
    case "heartbeat_ack":
      return [HEARTBEAT_ACK, envelope.sentAt, envelope.seq];
  }
}

/** The envelope in a message of the other node, or what is wrong with it; then the session ends. */
export function unpackEnvelope(value: unknown): Envelope | ShapeFailure {
  if (!Array.isArray(value)) return new ShapeFailure("", "a list");
  switch (value[0]) {
    case TELL: {
      const found = tellShape.check(value, "tell");
      return isShapeFailure(found) ? found : { kind: "tell", to: found[1], from: found[2], body: found[3] };
    }
    case LINK: {
      const found = linkShape.check(value, "link");
      return isShapeFailure(found) ? found : { kind: "link", body: found[1] };
    }
    case HEARTBEAT: {
      const found = heartbeatShape.check(value, "heartbeat");
      if (isShapeFailure(found)) return found;
      return { kind: "heartbeat", sentAt: found[1], seq: found[2], groups: found[3].map(unpackSummary) };
    }
    case HEARTBEAT_ACK: {
      const found = heartbeatAckShape.check(value, "heartbeat_ack");
      return isShapeFailure(found) ? found : { kind: "heartbeat_ack", sentAt: found[1], seq: found[2] };
    }
    default:
      return new ShapeFailure("[0]", "the number of a known envelope");
  }
}

function packSummary(summary: GroupSummary): Shaped<typeof summaryShape> {
  const { group, role, generation, position, source } = summary;
  return [group, role, generation, position.generation, position.seq, source];
}

function unpackSummary(packed: Shaped<typeof summaryShape>): GroupSummary {
  const [group, role, generation, positionGeneration, seq, source] = packed;
  return { group, role, generation, position: { generation: positionGeneration, seq }, source };
}
