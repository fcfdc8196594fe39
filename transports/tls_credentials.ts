/**
 * A node's certificate, key and authority, read from files and read again when they change.
 *
 * Certificates are renewed while the node runs. The files are looked at every ten seconds; when they have changed and
 * are good together they are what every later connection uses. Those that are open live on: what they proved stays
 * proven, and a renewal that ended sixty legs at once would be an outage of its own. A renewal replaces several files
 * one after another, so a moment in which they do not match is ordinary: the old ones stay in force, and only what
 * does not mend itself by the next look is said aloud. Rejected: watching folders by events (certificates arrive by
 * rename, by link and over network file systems, and each tells something else), and a signal (someone must send it).
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { namesOf } from "./shown_certificate.ts";

export interface TlsFiles {
  /** Certificates of the authorities that peers' certificates are signed by, PEM. */
  readonly ca: string;
  /** This node's certificate, PEM, followed by intermediate ones if there are any. */
  readonly cert: string;
  readonly key: string;
}

/** PEM texts that belong together. */
export interface TlsMaterial {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The day after which peers refuse the certificate. */
  readonly validToMs: number;
}

/** `detail` is for people: "security.tls.cert: /etc/…: … (try: …)". */
export interface CredentialsFailure {
  readonly kind: "credentials_refused";
  readonly detail: string;
}

export interface CredentialsOptions {
  /** The name the certificate must have. */
  readonly node: string;
  /** New ones are in force. */
  readonly onRenewed: (material: TlsMaterial) => void;
  /** The files are not good together, for two looks in a row. Said once per change of the reason. */
  readonly onTrouble: (detail: string) => void;
}

/** How often the files are looked at. */
export const LOOK_INTERVAL_MS = 10_000;

/** Reads the files and checks them against each other; whether the dates hold is for the peers to say. */
export function readCredentials(files: TlsFiles, node: string): TlsMaterial | CredentialsFailure {
  const texts: { ca: string; cert: string; key: string } = { ca: "", cert: "", key: "" };
  for (const field of ["ca", "cert", "key"] as const) {
    try {
      texts[field] = readFileSync(files[field], "utf8");
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      return refusal(field, files, `cannot be read: ${cause}`, remedyOf(field, node));
    }
  }
  const authority = certificateIn(texts.ca);
  if (authority === null) return refusal("ca", files, "holds no certificate", remedyOf("ca", node));
  const certificate = certificateIn(texts.cert);
  if (certificate === null) return refusal("cert", files, "holds no certificate", remedyOf("cert", node));
  const names = certificateNames(certificate);
  if (!names.includes(node)) {
    const whose = names.length === 0 ? "no node" : names.join(", ");
    return refusal("cert", files, `names ${whose}, not ${node}`, remedyOf("cert", node));
  }
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(texts.key))) {
      return refusal("key", files, `is not the key of ${files.cert}`, remedyOf("key", node));
    }
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return refusal("key", files, `is no private key without a passphrase: ${cause}`, remedyOf("key", node));
  }
  return { ...texts, validToMs: Date.parse(certificate.validTo) };
}

export function isCredentialsFailure(
  outcome: TlsMaterial | CredentialsFailure | TlsCredentials,
): outcome is CredentialsFailure {
  return "kind" in outcome && outcome.kind === "credentials_refused";
}

/** What is in force, and the look for what is new. */
export class TlsCredentials {
  readonly #files: TlsFiles;
  readonly #options: CredentialsOptions;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  #material: TlsMaterial;
  #timer: ReturnType<typeof setInterval> | null = null;
  #trouble = "";
  #told = "";

  private constructor(files: TlsFiles, options: CredentialsOptions, material: TlsMaterial) {
    this.#files = files;
    this.#options = options;
    this.#material = material;
  }

  /** Reads the files for the first time. */
  static open(files: TlsFiles, options: CredentialsOptions): TlsCredentials | CredentialsFailure {
    const material = readCredentials(files, options.node);
    return isCredentialsFailure(material) ? material : new TlsCredentials(files, options, material);
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Calls back with new credentials; the answer ends that. */
  subscribe(listener: (material: TlsMaterial) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks every ten seconds from now on; it keeps no process alive. Callable twice. */
  watch(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_INTERVAL_MS).unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Reads the files again. */
  look(): void {
    const found = readCredentials(this.#files, this.#options.node);
    if (isCredentialsFailure(found)) {
      if (found.detail === this.#trouble && found.detail !== this.#told) {
        this.#told = found.detail;
        this.#options.onTrouble(found.detail);
      }
      this.#trouble = found.detail;
      return;
    }
    this.#trouble = "";
    this.#told = "";
    const { ca, cert, key } = this.#material;
    if (found.ca === ca && found.cert === cert && found.key === key) return;
    this.#material = found;
    for (const listener of this.#listeners) listener(found);
    this.#options.onRenewed(found);
  }
}

function certificateIn(pem: string): X509Certificate | null {
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) return null;
  try {
    return new X509Certificate(pem);
  } catch (_damaged) {
    return null;
  }
}

function certificateNames(certificate: X509Certificate): string[] {
  return namesOf({
    authorized: true,
    fault: "",
    commonName: /(?:^|\n)CN=(.*)/.exec(certificate.subject)?.[1],
    alternativeNames: certificate.subjectAltName,
    validFrom: certificate.validFrom,
    validTo: certificate.validTo,
  });
}

function remedyOf(field: keyof TlsFiles, node: string): string {
  return field === "ca" ? "holdfast cert ca" : `holdfast cert issue ${node}`;
}

function refusal(field: keyof TlsFiles, files: TlsFiles, what: string, remedy: string): CredentialsFailure {
  return {
    kind: "credentials_refused",
    detail: `security.tls.${field}: ${files[field]} ${what} (try: ${remedy})`,
  };
}
