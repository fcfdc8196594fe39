/** What the doors of the volumes need from their node. */
import type { ByteStream } from "../../runtime/byte_stream.ts";
import type { SlabPool } from "../../runtime/slab.ts";
import type { NbdLimits } from "../../volume/nbd/limits.ts";
import type { ReportEvent } from "../events/messages.ts";
import type { ExportTable } from "./export_table.ts";
import type { IoMeter } from "./io_meter.ts";

/** Of one group. */
export interface ExportEnvironment {
  readonly group: string;
  readonly table: ExportTable;
  readonly meter: IoMeter;
  /** To the mirror of the same group, if there is one: it answers with `gate_opened` once its gate is open. */
  exportStarted(): void;
}

/** Takes a stream, or answers false: then it is closed by whoever offered it. */
export type TakeStream = (stream: ByteStream) => boolean;

export type Listening =
  | { readonly ok: true; readonly addresses: readonly string[]; readonly close: () => void }
  | { readonly ok: false; readonly detail: string };

export interface NbdListenerEnvironment {
  readonly table: ExportTable;
  readonly meter: IoMeter;
  readonly slabs: SlabPool;
  /** Listens on all `nbd` addresses of the node; what an earlier incarnation left open is closed first. */
  listen(take: TakeStream): Promise<Listening>;
  readonly event: ReportEvent;
  readonly limits?: Partial<NbdLimits>;
  /** Clients at a time; one more is closed at once. */
  readonly sessionsMax?: number;
}
