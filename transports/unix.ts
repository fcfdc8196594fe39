/**
 * Unix sockets: for NBD clients and the admin door on the same host.
 *
 * The file is for its owner only (mode 0600), because whoever can connect can read the volume. A socket file whose
 * process died without removing it is replaced; one that answers is refused, since two nodes over one path are a
 * mistake and the later must not quietly take the clients of the earlier.
 */
import fs from "node:fs";
import type { StreamEnd } from "../runtime/byte_stream.ts";
import { invariant } from "../runtime/invariant.ts";
import { formatAddress } from "./address.ts";
import { listenOnSocket } from "./socket_listener.ts";
import { SocketStream } from "./socket_stream.ts";
import { isStreamEnd, type ListenFailure, type Transport } from "./transport.ts";

/** How long a socket file may take to show whether somebody listens: it is this host, so at once or never. */
const PROBE_TIMEOUT_MS = 1_000;
const OWNER_ONLY = 0o600;

export const unixTransport: Transport = {
  scheme: "unix",
  traits: { ordered: true, reliable: true, bulk: true, local: true },

  async listen(address, onStream, options) {
    invariant(address.scheme === "unix", "the unix transport gets unix addresses");
    const refusal = await makeRoom(address.path);
    if (refusal !== null) return refusal;
    const plan = {
      address: formatAddress(address),
      target: { path: address.path, exclusive: true },
      bound: () => formatAddress(address),
      remoteAddressOf: () => formatAddress(address),
      remedies: {
        address_in_use: "another path",
        not_permitted: "a folder that this user may write to",
        not_usable: `mkdir -p the folder of ${address.path}`,
      },
    };
    // The file appears inside the call, so the mask is in force for it alone and there is no moment of other modes.
    const umask = narrowMask();
    const listening = listenOnSocket(plan, onStream, options);
    if (umask !== null) process.umask(umask);
    else if (fs.existsSync(address.path)) fs.chmodSync(address.path, OWNER_ONLY);
    return await listening;
  },

  connect(address, options) {
    invariant(address.scheme === "unix", "the unix transport gets unix addresses");
    return SocketStream.connect(
      { path: address.path },
      { remoteAddress: formatAddress(address), timeoutMs: options.timeoutMs },
    );
  },
};

/**
 * The mask before, or null where the runtime does not permit setting it (Deno without `--allow-sys=umask`): then the
 * mode is set right after, and only a mask that lets others write would have let one in between.
 */
function narrowMask(): number | null {
  try {
    return process.umask(0o777 & ~OWNER_ONLY);
  } catch (error) {
    invariant(
      error instanceof Error && error.name === "NotCapable",
      `setting the mask fails by permission only: ${error}`,
    );
    return null;
  }
}

/** Removes a dead process's socket file; null when the path is free afterwards. */
async function makeRoom(path: string): Promise<ListenFailure | null> {
  try {
    const found = fs.lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return null;
    if (!found.isSocket()) {
      return failure("not_usable", path, "a file that is not a socket is there", "another path");
    }
    const answer = await probe(path);
    if (answer === "live") {
      return failure(
        "address_in_use",
        path,
        "another process listens there",
        "stop it, or choose another path",
      );
    }
    if (answer.kind !== "refused") return failure("failed", path, answer.detail, "another path");
    fs.rmSync(path, { force: true });
    return null;
  } catch (error) {
    return failure("not_permitted", path, String(error), "a folder that this user may read and write");
  }
}

async function probe(path: string): Promise<"live" | StreamEnd> {
  const outcome = await SocketStream.connect({ path }, {
    remoteAddress: `unix:${path}`,
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  if (isStreamEnd(outcome)) return outcome;
  outcome.start({ space: () => null, received: () => {}, drained: () => {}, ended: () => {} });
  outcome.destroy("only looked whether somebody listens");
  return "live";
}

function failure(kind: ListenFailure["kind"], path: string, cause: string, remedy: string): ListenFailure {
  return { kind, detail: `Cannot listen on unix:${path}: ${cause} (try: ${remedy})` };
}
