/** A folder of certificates of one authority, for tests of what shows them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createAuthority,
  issueCertificate,
  type IssuedCertificate,
} from "../../../transports/certificate_authority.ts";
import { isCredentialsFailure, TlsCredentials } from "../../../transports/tls_credentials.ts";

export class CertificateFolder {
  readonly path = mkdtempSync(join(tmpdir(), "holdfast-tls-"));
  readonly troubles: string[] = [];
  renewals = 0;
  readonly #authority: IssuedCertificate;

  private constructor(authority: IssuedCertificate) {
    this.#authority = authority;
    writeFileSync(join(this.path, "ca.pem"), authority.cert);
  }

  static async create(): Promise<CertificateFolder> {
    return new CertificateFolder(
      await createAuthority({ name: "test authority", nowMs: Date.now(), days: 2 }),
    );
  }

  /** Writes `file`.pem and `file`-key.pem for `name`. */
  async issue(
    name: string,
    options: { readonly days?: number; readonly file?: string; readonly by?: IssuedCertificate } = {},
  ): Promise<void> {
    const { days = 2, file = name } = options;
    const issued = await issueCertificate(options.by ?? this.#authority, { name, nowMs: Date.now(), days });
    writeFileSync(join(this.path, `${file}.pem`), issued.cert);
    writeFileSync(join(this.path, `${file}-key.pem`), issued.key, { mode: 0o600 });
  }

  files(file: string): { readonly ca: string; readonly cert: string; readonly key: string } {
    return {
      ca: join(this.path, "ca.pem"),
      cert: join(this.path, `${file}.pem`),
      key: join(this.path, `${file}-key.pem`),
    };
  }

  /** What a node of that name would show. */
  credentials(node: string, file = node): TlsCredentials {
    const opened = TlsCredentials.open(this.files(file), {
      node,
      onRenewed: () => this.renewals += 1,
      onTrouble: (detail) => this.troubles.push(detail),
    });
    if (isCredentialsFailure(opened)) throw new Error(opened.detail);
    return opened;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
