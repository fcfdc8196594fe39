/** What the doors of the volumes are told. Requests themselves are no messages: see `VolumePort`. */
import type { ReplyTo } from "../../runtime/mod.ts";
import type { GateOpenForExport } from "../mirror/messages.ts";

/** To the export of a group, from the mirror beside it. */
export type ExportMessage =
  /** The group may be served: also the answer to `export_started`. A second one replaces the first. */
  | { readonly kind: "gate_opened"; readonly gate: GateOpenForExport }
  /** No request of this gate completes any more: the sessions are closed, what is in flight is never reported as done. */
  | { readonly kind: "gate_closed"; readonly cause: string }
  /** The port has room again. */
  | { readonly kind: "writable" };

/** Where the clients of this node's volumes come in. */
export type NbdListenerMessage =
  | { readonly kind: "listening_requested"; readonly reply: ReplyTo<ListeningAnswer> }
  | { readonly kind: "sessions_requested"; readonly reply: ReplyTo<readonly NbdSessionLine[]> }
  /** Its own timers and outcomes. */
  | { readonly kind: "listening"; readonly addresses: readonly string[]; readonly close: () => void }
  | { readonly kind: "not_listening"; readonly detail: string }
  | { readonly kind: "retry_due" }
  | { readonly kind: "session_down"; readonly id: number; readonly cause: string };

/** The addresses in force, or "Cannot listen on …: … (try: …)". */
export type ListeningAnswer =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly detail: string };

export interface NbdSessionLine {
  readonly client: string;
  /** `null` during the handshake. */
  readonly exportName: string | null;
  readonly requestsInFlight: number;
}
