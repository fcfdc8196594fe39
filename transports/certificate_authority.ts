/**
 * Makes an authority and node certificates, for those who have none: the one home of @peculiar/x509.
 *
 * ECDSA on P-256: the keys that every TLS 1.3 has. A node's certificate serves both ends of a connection, because
 * every node listens and dials. The authority signs nothing but leaves (path length 0). Rejected: OpenSSL's program,
 * which a node's host need not have, and one certificate for the whole cluster, with which any node could say that it
 * is any other.
 *
 * Dates come from the caller, and begin an hour early: clocks of a cluster differ, and nobody should wait for that.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

/** PEM texts. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface Validity {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly days: number;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const EARLY_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** An authority's certificate, signed by itself, and its key. */
export async function createAuthority(
  options: Validity & { readonly name: string },
): Promise<IssuedCertificate> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [options.name] }],
    keys,
    signingAlgorithm: ALGORITHM,
    ...datesOf(options),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pemOf(certificate), key: await pemOfKey(keys.privateKey) };
}

/** A certificate for `name`; with `key`, a renewal for the key that is already there. Throws for PEM that is none. */
export async function issueCertificate(
  authority: IssuedCertificate,
  options: Validity & { readonly name: string; readonly key?: string },
): Promise<IssuedCertificate> {
  const issuer = new x509.X509Certificate(authority.cert);
  const signingKey = await privateKeyOf(authority.key);
  const keys = options.key === undefined
    ? await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])
    : await keyPairOf(options.key);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [options.name] }],
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    ...datesOf(options),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: options.name }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: pemOf(certificate), key: options.key ?? await pemOfKey(keys.privateKey) };
}

function datesOf({ nowMs, days }: Validity): { readonly notBefore: Date; readonly notAfter: Date } {
  const notAfter = nowMs + days * DAY_MS;
  return { notBefore: new Date(Math.min(nowMs, notAfter) - EARLY_MS), notAfter: new Date(notAfter) };
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

async function pemOfKey(key: CryptoKey): Promise<string> {
  const bytes = await crypto.subtle.exportKey("pkcs8", key);
  return `${x509.PemConverter.encode(bytes, "PRIVATE KEY")}\n`;
}

function privateKeyOf(pem: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), ALGORITHM, true, ["sign"]);
}

async function keyPairOf(pem: string): Promise<CryptoKeyPair> {
  const privateKey = await privateKeyOf(pem);
  const { d: _secret, ...open } = await crypto.subtle.exportKey("jwk", privateKey);
  const publicKey = await crypto.subtle.importKey("jwk", { ...open, key_ops: ["verify"] }, ALGORITHM, true, [
    "verify",
  ]);
  return { privateKey, publicKey };
}
