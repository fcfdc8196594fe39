/** What a shown certificate proves, and the words for what proves nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeCertificate, namesOf, type ShownCertificate } from "../../transports/shown_certificate.ts";

const NOW_MS = Date.parse("2026-06-01T00:00:00Z");
const GOOD: ShownCertificate = {
  authorized: true,
  fault: "",
  commonName: "alpha",
  alternativeNames: "DNS:alpha, DNS:alpha.example.com",
  validFrom: "Jan  1 00:00:00 2026 GMT",
  validTo: "Jan  1 00:00:00 2027 GMT",
};

const VERDICTS: readonly {
  readonly what: string;
  readonly shown: Partial<ShownCertificate>;
  readonly expectedName?: string;
  readonly verdict: readonly string[] | RegExp;
}[] = [
  { what: "a good one", shown: {}, verdict: ["alpha", "alpha.example.com"] },
  { what: "the one expected", shown: {}, expectedName: "alpha", verdict: ["alpha", "alpha.example.com"] },
  {
    what: "another's",
    shown: {},
    expectedName: "beta",
    verdict: /^the certificate of "alpha", "alpha.example.com" was shown, not that of "beta"$/,
  },
  { what: "a common name alone", shown: { alternativeNames: undefined }, verdict: ["alpha"] },
  {
    what: "a common name beside others' alternative names",
    shown: { alternativeNames: "DNS:beta" },
    expectedName: "alpha",
    verdict: /not that of "alpha"/,
  },
  {
    what: "names of no node",
    shown: { alternativeNames: 'DNS:"beta, DNS:alpha", DNS:*.example.com, IP Address:10.0.0.1' },
    verdict: /names no node/,
  },
  {
    what: "an expired one, whatever the runtime calls it",
    shown: {
      authorized: false,
      fault: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      validTo: "Feb  1 00:00:00 2026 GMT",
    },
    verdict: /expired on Feb {2}1 00:00:00 2026 GMT$/,
  },
  {
    what: "one of the future",
    shown: { authorized: false, fault: "CERT_NOT_YET_VALID", validFrom: "Jul  1 00:00:00 2026 GMT" },
    verdict: /is valid from Jul {2}1/,
  },
  {
    what: "another authority's",
    shown: { authorized: false, fault: "SELF_SIGNED_CERT_IN_CHAIN" },
    verdict: /was not signed by this cluster's authority$/,
  },
  {
    what: "a fault nobody thought of",
    shown: { authorized: false, fault: "CERT_REVOKED" },
    verdict: /proves nothing \(CERT_REVOKED\)$/,
  },
  {
    what: "none at all",
    shown: {
      authorized: false,
      commonName: undefined,
      alternativeNames: undefined,
      validFrom: undefined,
      validTo: undefined,
    },
    verdict: /^it showed no certificate$/,
  },
];

for (const { what, shown, expectedName, verdict } of VERDICTS) {
  test(`certificate: ${what} is judged`, () => {
    const outcome = judgeCertificate({ ...GOOD, ...shown }, { nowMs: NOW_MS, expectedName });
    if (verdict instanceof RegExp) assert.match(outcome.ok ? outcome.names.join() : outcome.reason, verdict);
    else assert.deepEqual(outcome, { ok: true, names: verdict });
    assert.equal(outcome.ok, !(verdict instanceof RegExp));
  });
}

test("certificate: what the runtime did not find good proves nothing, whatever it names", () => {
  assert.deepEqual(namesOf(GOOD), ["alpha", "alpha.example.com"]);
  assert.equal(judgeCertificate({ ...GOOD, authorized: false }, { nowMs: NOW_MS }).ok, false);
});
