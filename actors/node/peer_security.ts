/**
 * The transports of a real node: with `security`, the one that shows this node's certificate too.
 *
 * What the certificate's files do while the node runs is told in its log and history: a renewal that took effect, files
 * that stay wrong, and the days before the certificate expires, when peers would refuse it one after another.
 */
import type { Log } from "../../runtime/mod.ts";
import { type ClusterConfig, tlsFilesOf } from "../../config/cluster_config.ts";
import { TRANSPORTS, type TransportTable } from "../../transports/schemes.ts";
import {
  type CredentialsFailure,
  isCredentialsFailure,
  TlsCredentials,
  type TlsMaterial,
} from "../../transports/tls_credentials.ts";
import { tlsTransport } from "../../transports/tls.ts";

export interface PeerSecurity {
  readonly transports: TransportTable;
  /** No more looks at the files. */
  close(): void;
}

/** From then on every day says how long is left. */
const WARN_DAYS = 14;
const DAY_MS = 86_400_000;
/** A node is called again and again; the same reason at the same address is told no more often. */
const TELL_AGAIN_MS = 600_000;

/** Reads the files that the configuration names and watches them; or says which of them cannot be used. */
export function openPeerSecurity(
  config: ClusterConfig,
  options: { readonly node: string; readonly log: Log },
): PeerSecurity | CredentialsFailure {
  const { node, log } = options;
  if (config.security === undefined) return { transports: TRANSPORTS, close: () => {} };
  const files = tlsFilesOf(config.security, node);
  const validity = ({ validToMs }: TlsMaterial) => {
    const daysLeft = (validToMs - Date.now()) / DAY_MS;
    const fields = { file: files.cert, validUntil: new Date(validToMs).toISOString() };
    if (daysLeft <= 0) log.error("certificate_expired", { ...fields, cause: "no peer accepts it any more" });
    else if (daysLeft < WARN_DAYS) log.warn("certificate_expires", fields);
    return fields;
  };
  const credentials = TlsCredentials.open(files, {
    node,
    onRenewed: (material) => log.info("certificate_renewed", validity(material)),
    onTrouble: (cause) => log.error("certificate_unusable", { cause, inForce: "the one read before" }),
  });
  if (isCredentialsFailure(credentials)) return credentials;
  validity(credentials.material);
  credentials.watch();
  const daily = setInterval(() => validity(credentials.material), DAY_MS).unref();
  const told = new Map<string, { readonly reason: string; readonly atMs: number }>();
  const onRefused = (address: string, reason: string) => {
    const last = told.get(address);
    const nowMs = Date.now();
    if (last?.reason === reason && nowMs - last.atMs < TELL_AGAIN_MS) return;
    told.set(address, { reason, atMs: nowMs });
    log.warn("certificate_refused", { address, cause: reason });
  };
  return {
    transports: new Map([...TRANSPORTS, ["tls", tlsTransport(credentials, { onRefused })]]),
    close: () => {
      clearInterval(daily);
      credentials.close();
    },
  };
}
