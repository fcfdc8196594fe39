/**
 * Pure: what a certificate that the other side showed is worth: the names it proves, or why it proves nothing.
 *
 * The runtime checks signature, chain, dates and possession of the key in both directions and says what it found;
 * here that becomes a verdict in words. It is told to go on after a failure (`rejectUnauthorized: false`) only so that
 * the other side can be told why; nobody gets a stream without a verdict from here. A name that a caller expects is
 * compared here and not by the runtime, whose rules are those of the web: an address is a host there, and a node is
 * its name wherever it lives.
 */

export interface ShownCertificate {
  /** The runtime found the chain good. */
  readonly authorized: boolean;
  /** The runtime's code for what was wrong. */
  readonly fault: string;
  readonly commonName: string | undefined;
  /** As the runtime prints it: `DNS:alpha, DNS:alpha.example.com`. */
  readonly alternativeNames: string | undefined;
  readonly validFrom: string | undefined;
  readonly validTo: string | undefined;
}

export type CertificateVerdict =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** What a node may be called; anything else in a certificate is no node's name. */
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** `expectedName`: whom the caller wants; without it any name of this authority will do. `nowMs`: since 1970. */
export function judgeCertificate(
  shown: ShownCertificate,
  options: { readonly nowMs: number; readonly expectedName?: string | undefined },
): CertificateVerdict {
  const { nowMs, expectedName } = options;
  const names = namesOf(shown);
  const whose = names.length === 0 ? "its certificate" : `the certificate of ${quoted(names)}`;
  if (!shown.authorized) return { ok: false, reason: faultOf(shown, { whose, nowMs }) };
  if (names.length === 0) return { ok: false, reason: "its certificate names no node" };
  if (expectedName !== undefined && !names.includes(expectedName)) {
    return { ok: false, reason: `${whose} was shown, not that of "${expectedName}"` };
  }
  return { ok: true, names };
}

/** The alternative names, or where there are none the common name. */
export function namesOf({ commonName, alternativeNames }: ShownCertificate): string[] {
  const alternatives = (alternativeNames ?? "").split(", ")
    .flatMap((entry) => entry.startsWith("DNS:") ? [entry.slice("DNS:".length)] : []);
  const names = alternatives.length > 0 ? alternatives : commonName === undefined ? [] : [commonName];
  return names.filter((name) => NODE_NAME.test(name));
}

/** The dates come first: what the runtimes call an expired certificate differs with what else is wrong with it. */
function faultOf(shown: ShownCertificate, told: { readonly whose: string; readonly nowMs: number }): string {
  const { fault, commonName, validFrom, validTo } = shown;
  const { whose, nowMs } = told;
  if (validTo === undefined || validFrom === undefined) {
    return commonName === undefined ? "it showed no certificate" : `${whose} proves nothing (${fault})`;
  }
  if (Date.parse(validTo) <= nowMs) return `${whose} expired on ${validTo}`;
  if (Date.parse(validFrom) > nowMs) return `${whose} is valid from ${validFrom} on`;
  switch (fault) {
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "CERT_SIGNATURE_FAILURE":
      return `${whose} was not signed by this cluster's authority`;
    default:
      return `${whose} proves nothing (${fault})`;
  }
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
