/**
 * Pure: the first message each way, and who talks to whom.
 *
 * ```text
 * caller                                   answerer
 * hello {cluster, node, purpose, offer} →
 *                                       ←  welcome {cluster, node, version, features}   or   refused {reason, detail}
 * ```
 *
 * A connection proves nothing by existing: the wrong cluster, a node nobody configured, oneself through a mistyped
 * address, a version from another year. Each of these has its own reason, because each has its own remedy. The hello
 * is the one message that must be readable before anything is settled, so unknown fields in it are ignored and its
 * known ones never change meaning.
 */
import { isName } from "./ids.ts";
import {
  aName,
  integer,
  isShapeFailure,
  listOf,
  oneOf,
  record,
  type Shaped,
  text,
  variantOf,
} from "./shape.ts";
import { isProtocolRefusal, type ProtocolAgreement, type ProtocolOffer, settle } from "./version.ts";

/** A control connection carries heartbeats and messages between actors, a data connection one group's leg. */
export type Purpose = { readonly kind: "control" } | { readonly kind: "data"; readonly group: string };

/** How a node introduces itself. */
export interface Introduction {
  readonly cluster: string;
  readonly node: string;
  /** Minted at the node's start (ids.ts). */
  readonly incarnation: string;
  readonly offer: ProtocolOffer;
}

export interface HandshakeRefusal {
  readonly reason:
    | "not_a_hello"
    | "other_cluster"
    | "unknown_node"
    | "unexpected_node"
    | "unproven_name"
    | "oneself"
    | "unknown_group"
    | "versions"
    | "features"
    | "not_now";
  /** For people. */
  readonly detail: string;
}

/** What both sides know of each other afterwards. */
export interface Acquaintance {
  readonly node: string;
  readonly incarnation: string;
  readonly purpose: Purpose;
  readonly agreement: ProtocolAgreement;
}

/** What an answerer goes by. */
export interface AnswererPolicy {
  readonly self: Introduction;
  /** The nodes of the configuration. */
  readonly knownNodes: ReadonlySet<string>;
  /** The groups that this node has a replica of. */
  readonly knownGroups: ReadonlySet<string>;
  /** The names that the connection's certificate proves; undefined where nothing has to be proven. */
  readonly provenNames?: readonly string[] | undefined;
  /** A last word of the owner, e.g. "shutting down"; null admits. */
  readonly admit?: (caller: Acquaintance) => HandshakeRefusal | null;
}

const FEATURES_MAX = 64;
const features = listOf(text({ lengthMax: 64 }), { lengthMax: FEATURES_MAX });
const version = integer({ min: 1, max: 65_535 });
const lenient = { unknownFields: "ignored" } as const;

const purposeShape = variantOf({
  control: record({ kind: oneOf("control") }, lenient),
  data: record({ kind: oneOf("data"), group: aName }, lenient),
});
const helloShape = record({
  kind: oneOf("hello"),
  cluster: aName,
  node: aName,
  incarnation: aName,
  purpose: purposeShape,
  versions: record({ oldest: version, newest: version }, lenient),
  features,
  required: features,
}, lenient);
const welcomeShape = record({
  kind: oneOf("welcome"),
  cluster: aName,
  node: aName,
  incarnation: aName,
  version,
  features,
}, lenient);
const refusedShape = record({
  kind: oneOf("refused"),
  reason: text({ lengthMax: 64 }),
  detail: text({ lengthMax: 1_024 }),
}, lenient);
const answerShape = variantOf({ welcome: welcomeShape, refused: refusedShape });

export type Hello = Shaped<typeof helloShape>;
export type Welcome = Shaped<typeof welcomeShape>;
export type Refused = Shaped<typeof refusedShape>;

/** The caller's first message. */
export function helloOf(self: Introduction, purpose: Purpose): Hello {
  return {
    kind: "hello",
    cluster: self.cluster,
    node: self.node,
    incarnation: self.incarnation,
    purpose,
    versions: self.offer.versions,
    features: self.offer.features,
    required: self.offer.required,
  };
}

/** The message that tells a refusal to the other side. */
export function refusedOf(refusal: HandshakeRefusal): Refused {
  return { kind: "refused", reason: refusal.reason, detail: refusal.detail.slice(0, 1_024) };
}

export type HelloVerdict =
  | { readonly kind: "welcome"; readonly welcome: Welcome; readonly caller: Acquaintance }
  | { readonly kind: "refused"; readonly refusal: HandshakeRefusal };

/** The answerer's verdict over the first message of a connection, whatever it is. */
export function judgeHello(value: unknown, policy: AnswererPolicy): HelloVerdict {
  const hello = helloShape.check(value, "");
  if (isShapeFailure(hello)) return refused("not_a_hello", `the first message is no hello: ${hello.detail}`);
  const { self } = policy;
  if (hello.cluster !== self.cluster) {
    return refused("other_cluster", `this is cluster "${self.cluster}", not "${hello.cluster}"`);
  }
  if (hello.node === self.node) {
    return refused("oneself", `both ends are node "${self.node}" (try: check the addresses under nodes)`);
  }
  if (policy.provenNames?.includes(hello.node) === false) {
    const proven = policy.provenNames.join(", ");
    const whose = proven === "" ? "of nobody" : `of "${proven}"`;
    return refused("unproven_name", `the certificate is ${whose}, not of "${hello.node}"`);
  }
  if (!policy.knownNodes.has(hello.node)) {
    return refused("unknown_node", `node "${hello.node}" is not in the configuration of "${self.node}"`);
  }
  const { purpose } = hello;
  if (purpose.kind === "data" && !policy.knownGroups.has(purpose.group)) {
    return refused("unknown_group", `node "${self.node}" has no replica of group "${purpose.group}"`);
  }
  const agreement = settle(self.offer, hello);
  if (isProtocolRefusal(agreement)) return refused(agreement.reason, agreement.detail);
  const caller: Acquaintance = { node: hello.node, incarnation: hello.incarnation, purpose, agreement };
  const objection = policy.admit?.(caller) ?? null;
  if (objection !== null) return { kind: "refused", refusal: objection };
  const welcome: Welcome = {
    kind: "welcome",
    cluster: self.cluster,
    node: self.node,
    incarnation: self.incarnation,
    version: agreement.version,
    features: agreement.features,
  };
  return { kind: "welcome", welcome, caller };
}

export type AnswerVerdict =
  | { readonly kind: "agreed"; readonly answerer: Acquaintance }
  | { readonly kind: "refused_by_them"; readonly reason: string; readonly detail: string }
  | { readonly kind: "refused"; readonly refusal: HandshakeRefusal };

/** The caller's verdict over the answer, whatever it is. */
export function judgeAnswer(
  value: unknown,
  call: { readonly self: Introduction; readonly purpose: Purpose; readonly expectedNode: string },
): AnswerVerdict {
  const answer = answerShape.check(value, "");
  if (isShapeFailure(answer)) {
    return refused("not_a_hello", `the answer is neither welcome nor refusal: ${answer.detail}`);
  }
  if (answer.kind === "refused") {
    return {
      kind: "refused_by_them",
      reason: isName(answer.reason) ? answer.reason : "unnamed",
      detail: answer.detail,
    };
  }
  const { self } = call;
  if (answer.cluster !== self.cluster) {
    return refused("other_cluster", `cluster "${answer.cluster}" answered, not "${self.cluster}"`);
  }
  if (answer.node !== call.expectedNode) {
    return answer.node === self.node
      ? refused("oneself", `node "${self.node}" reached itself (try: check the addresses under nodes)`)
      : refused("unexpected_node", `node "${answer.node}" answered, not "${call.expectedNode}"`);
  }
  const { versions, features, required } = self.offer;
  if (answer.version < versions.oldest || answer.version > versions.newest) {
    return refused("versions", `version ${answer.version} was chosen, which was not offered`);
  }
  if (answer.features.some((feature) => !features.includes(feature))) {
    return refused("features", "a feature was chosen that was not offered");
  }
  if (required.some((feature) => !answer.features.includes(feature))) {
    return refused("features", "a feature without which this node will not talk was left out");
  }
  const agreement = { version: answer.version, features: answer.features };
  const answerer = { node: answer.node, incarnation: answer.incarnation, purpose: call.purpose, agreement };
  return { kind: "agreed", answerer };
}

function refused(
  reason: HandshakeRefusal["reason"],
  detail: string,
): { readonly kind: "refused"; readonly refusal: HandshakeRefusal } {
  return { kind: "refused", refusal: { reason, detail } };
}
