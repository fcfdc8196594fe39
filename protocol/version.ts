/**
 * Pure: which protocol two nodes speak with each other.
 *
 * A version is a range, so that a cluster is upgraded node by node: a node speaks the newest version that both know.
 * A feature is a name, for what may be missing without changing the rest; both must have it, and either may insist.
 * What cannot be settled is refused with the node that has to be upgraded, not with two numbers.
 */

export interface ProtocolOffer {
  /** The range of versions spoken, both ends included. */
  readonly versions: { readonly oldest: number; readonly newest: number };
  readonly features: readonly string[];
  /** The features without which this node will not talk; among `features`. */
  readonly required: readonly string[];
}

export interface ProtocolAgreement {
  readonly version: number;
  /** Sorted. */
  readonly features: readonly string[];
}

export interface ProtocolRefusal {
  readonly kind: "protocol_refused";
  readonly reason: "versions" | "features";
  /** For people: what to upgrade. */
  readonly detail: string;
}

/** Blocks of zeros travel through a resync without their bytes (`copy_zeroes`). */
export const FEATURE_COPY_ZEROES = "copy_zeroes";

/** What this program speaks. */
export const OUR_PROTOCOL: ProtocolOffer = {
  versions: { oldest: 1, newest: 1 },
  features: [FEATURE_COPY_ZEROES],
  required: [],
};

/** Symmetric but for the words of a refusal, which speaks of "this node" as `ours`. */
export function settle(ours: ProtocolOffer, theirs: ProtocolOffer): ProtocolAgreement | ProtocolRefusal {
  const newest = Math.min(ours.versions.newest, theirs.versions.newest);
  const oldest = Math.max(ours.versions.oldest, theirs.versions.oldest);
  if (newest < oldest) {
    const behind = ours.versions.newest < theirs.versions.oldest ? "this node" : "the other node";
    return refusal(
      "versions",
      `this node speaks protocol ${range(ours)}, the other node ${range(theirs)} (try: upgrade ${behind})`,
    );
  }
  const lackingThere = ours.required.filter((feature) => !theirs.features.includes(feature));
  if (lackingThere.length > 0) return refusal("features", missing("the other node", lackingThere));
  const lackingHere = theirs.required.filter((feature) => !ours.features.includes(feature));
  if (lackingHere.length > 0) return refusal("features", missing("this node", lackingHere));
  return {
    version: newest,
    features: ours.features.filter((feature) => theirs.features.includes(feature)).sort(),
  };
}

export function isProtocolRefusal(outcome: ProtocolAgreement | ProtocolRefusal): outcome is ProtocolRefusal {
  return "kind" in outcome;
}

function range(offer: ProtocolOffer): string {
  const { oldest, newest } = offer.versions;
  return oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;
}

function missing(node: string, features: readonly string[]): string {
  return `${node} lacks ${features.join(", ")} (try: upgrade ${node})`;
}

function refusal(reason: ProtocolRefusal["reason"], detail: string): ProtocolRefusal {
  return { kind: "protocol_refused", reason, detail };
}
