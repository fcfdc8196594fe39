/**
 * Which volumes are served on this node at this moment, and by which sessions: the one place that the doors, the
 * exports of the groups and the sessions have in common.
 *
 * It is no actor, because the NBD handshake needs its answer inside the turn, and no part of one, because it must
 * survive each of them: when an export is restarted its sessions must be found, when the listener is restarted the
 * open gates must be. Nothing in it is durable and nothing waits.
 */
import type { ExportDirectory, ExportOffer, ExportRefusal } from "../../volume/nbd/export_directory.ts";
import type { GateOpenForExport } from "../mirror/messages.ts";

/** A volume of the configuration. */
export interface KnownVolume {
  readonly group: string;
  readonly name: string;
}

/** Who serves a group instead of this node. */
export interface ServedElsewhere {
  readonly node: string;
  /** Ready to be typed: `nbd://127.0.0.1:10802/data`. */
  readonly uris: readonly string[];
}

export interface ExportTableOptions {
  readonly node: string;
  readonly volumes: readonly KnownVolume[];
  /** The source of the group as far as this node knows, itself left out; `null` while there is none. */
  servedElsewhere(volume: KnownVolume): ServedElsewhere | null;
}

/** What the table may do to a session. None of these throws. */
export interface SessionHandle {
  /** Of this listener's life, never used twice in it. */
  readonly id: number;
  readonly client: string;
  readonly exportName: string | null;
  readonly requestsInFlight: number;
  onWritable(): void;
  /** Ends it now; what is in flight is never reported as done. */
  close(reason: string): void;
}

export class ExportTable implements ExportDirectory {
  readonly #options: ExportTableOptions;
  readonly #gates = new Map<string, GateOpenForExport>();
  /** Every open session; those that serve an export know their group. */
  readonly #sessions = new Map<SessionHandle, string | null>();
  #stopping = false;

  constructor(options: ExportTableOptions) {
    this.#options = options;
  }

  // ---- for the exports of the groups ----

  open(group: string, gate: GateOpenForExport): void {
    this.close(group, "the gate was opened anew");
    this.#gates.set(group, gate);
  }

  /** Closes every session of the group first: nothing of a closed gate is reported as done (I1). */
  close(group: string, cause: string): void {
    this.#gates.delete(group);
    for (const [session, sessionGroup] of [...this.#sessions]) {
      if (sessionGroup === group) session.close(cause);
    }
  }

  writable(group: string): void {
    for (const [session, sessionGroup] of [...this.#sessions]) {
      if (sessionGroup === group) session.onWritable();
    }
  }

  // ---- for the listener and its sessions ----

  get sessions(): readonly SessionHandle[] {
    return [...this.#sessions.keys()];
  }

  sessionsOf(group: string): readonly SessionHandle[] {
    return [...this.#sessions].filter(([, sessionGroup]) => sessionGroup === group).map(([session]) =>
      session
    );
  }

  began(session: SessionHandle): void {
    this.#sessions.set(session, null);
  }

  /** The session serves this export from now on. False: the export has gone since it was offered. */
  serves(session: SessionHandle, offer: ExportOffer): boolean {
    const volume = this.#options.volumes.find(({ name }) => name === offer.name);
    if (volume === undefined || this.#gates.get(volume.group)?.port !== offer.port) return false;
    this.#sessions.set(session, volume.group);
    return true;
  }

  /** Callable twice, also for a session whose actor died without a word. */
  ended(id: number): void {
    for (const session of this.sessions) {
      if (session.id === id) this.#sessions.delete(session);
    }
  }

  closeSessions(reason: string): void {
    for (const session of this.sessions) session.close(reason);
  }

  /** The node stops: whoever asks from now on is told so. */
  stopping(): void {
    this.#stopping = true;
  }

  // ---- for the handshake ----

  list(): readonly string[] {
    return this.#options.volumes.map(({ name }) => name);
  }

  find(name: string): ExportOffer | ExportRefusal {
    const { volumes } = this.#options;
    const volume = name === "" && volumes.length === 1
      ? volumes[0]
      : volumes.find((each) => each.name === name);
    if (volume === undefined) return this.#unknown(name);
    if (this.#stopping) return { refused: "shutdown", message: `node ${this.#options.node} is stopping` };
    const gate = this.#gates.get(volume.group);
    const index = gate?.volumes.findIndex((each) => each.name === volume.name) ?? -1;
    const geometry = gate?.volumes[index];
    if (gate === undefined || geometry === undefined) return this.#notServed(volume);
    return {
      name: volume.name,
      description: `volume ${volume.name} of group ${volume.group}`,
      size: geometry.size,
      readOnly: false,
      volume: index,
      port: gate.port,
    };
  }

  #unknown(name: string): ExportRefusal {
    const known = this.list().join(", ");
    const message = name === ""
      ? `this node has several volumes, ask for one of them by name: ${known}`
      : `there is no volume "${name.slice(0, 200)}" on this node, there is: ${known}`;
    return { refused: "unknown", message };
  }

  #notServed(volume: KnownVolume): ExportRefusal {
    const elsewhere = this.#options.servedElsewhere(volume);
    if (elsewhere === null) {
      return {
        refused: "policy",
        message: `volume ${volume.name} has no source at the moment (try: holdfast status)`,
      };
    }
    const where = elsewhere.uris.length === 0 ? "which has no nbd address" : elsewhere.uris.join(" or ");
    return { refused: "policy", message: `volume ${volume.name} is served by ${elsewhere.node}: ${where}` };
  }
}
