/**
 * A client of the volume: looks for whoever serves it, keeps a few requests in flight, checks every answer, and looks
 * again when its session ends. It stands where an NBD session stands, in the export table, and asks the same port.
 *
 * What its session took along when it ended may have happened or not: nothing is sent again, since a new write with a
 * number of its own tells the checkers more.
 */
import { Slab } from "../../../runtime/slab.ts";
import type { SimulatedRandom } from "../../../runtime/simulated/random.ts";
import type { ExportOffer } from "../../../volume/nbd/export_directory.ts";
import type { VolumeErrorKind, VolumeRequest } from "../../../volume/volume_request.ts";
import type { SessionHandle } from "../../../actors/export/export_table.ts";
import type { OpenRead, Registers, WriteRecord } from "../checkers/registers.ts";
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";
import { fillSectors, idOfSector, SECTOR_BYTES } from "./payload.ts";

const LOOK_AGAIN_MS = 40;
/** Nothing answered for so long: it tries its luck elsewhere. */
const PATIENCE_MS = 700;
/** Ids of sessions in the export tables, far from those of the node's own. */
const SESSION_IDS_FROM = 1_000_000;

export interface ClientPlan {
  readonly inFlightMax: number;
  /** Mean pause between two requests of a lane. */
  readonly thinkMs: number;
  /** First sectors of the places it writes to: a few, so that requests meet. */
  readonly places: readonly number[];
  readonly sectorsMax: number;
  readonly readShare: number;
  readonly flushShare: number;
  readonly fuaShare: number;
  readonly zeroShare: number;
  /** One look in so many ends the session: clients come and go, and meet whoever else claims to serve. */
  readonly restlessOneIn: number;
}

/** Who wants to know of answers: the checkers that look inside. */
export interface AnswerWatcher {
  /** An answer leaves the node: before anything is made of it. */
  completed(session: Session): void;
  written(session: Session, write: WriteRecord, options: { readonly fua: boolean }): void;
  flushed(session: Session, covered: readonly WriteRecord[]): void;
  attached(session: Session): void;
}

export interface Session {
  readonly id: number;
  readonly host: Host;
  readonly generation: number;
  open: boolean;
}

interface OpenSession extends Session {
  readonly handle: SessionHandle;
  readonly offer: ExportOffer;
  inFlight: number;
  /** When it last answered. */
  heardMs: number;
}

export class Client {
  readonly name: string;
  readonly #simulation: Simulation;
  readonly #registers: Registers;
  readonly #hosts: readonly Host[];
  readonly #plan: ClientPlan;
  readonly #random: SimulatedRandom;
  readonly #watcher: AnswerWatcher;
  #session: OpenSession | null = null;
  #working = true;
  #ids: number;
  readonly counts = { asked: 0, answered: 0, errors: 0, sessions: 0, flushes: 0 };

  constructor(options: {
    readonly name: string;
    readonly index: number;
    readonly simulation: Simulation;
    readonly registers: Registers;
    readonly hosts: readonly Host[];
    readonly plan: ClientPlan;
    readonly random: SimulatedRandom;
    readonly watcher: AnswerWatcher;
  }) {
    this.name = options.name;
    this.#ids = SESSION_IDS_FROM * (1 + options.index);
    this.#simulation = options.simulation;
    this.#registers = options.registers;
    this.#hosts = options.hosts;
    this.#plan = options.plan;
    this.#random = options.random;
    this.#watcher = options.watcher;
  }

  get inFlight(): number {
    return this.#session?.inFlight ?? 0;
  }

  get attachedTo(): string | null {
    return this.#session?.host.name ?? null;
  }

  start(): void {
    this.#look();
  }

  /** Asks nothing more; what is in flight is still answered. */
  rest(): void {
    this.#working = false;
  }

  work(): void {
    this.#working = true;
    if (this.#session !== null) this.#fill(this.#session);
  }

  /** The connection breaks on the client's side. */
  reset(): void {
    this.#session?.handle.close("the client went away");
  }

  // ---- the session ----

  #look(): void {
    const session = this.#session;
    if (session !== null && this.#working && session.inFlight > 0) {
      const waitedMs = this.#simulation.nowMs - session.heardMs;
      if (this.#random.uint32() % this.#plan.restlessOneIn === 0 || waitedMs > PATIENCE_MS) this.reset();
    }
    if (this.#session === null) this.#attach();
    this.#simulation.clock.after(LOOK_AGAIN_MS, () => this.#look());
  }

  #attach(): void {
    const first = this.#random.uint32() % this.#hosts.length;
    for (let index = 0; index < this.#hosts.length; index++) {
      const host = this.#hosts[(first + index) % this.#hosts.length];
      const process = host?.process ?? null;
      if (host === undefined || process === null || !process.time.running) continue;
      const offer = host.offer;
      const generation = host.mirror?.generation;
      if (offer === undefined || !("port" in offer) || generation === undefined) continue;
      this.#begin(host, { offer, generation });
      return;
    }
  }

  #begin(
    host: Host,
    { offer, generation }: { readonly offer: ExportOffer; readonly generation: number },
  ): void {
    const process = host.process;
    if (process === null) return;
    const { exports } = process.node.parts;
    const id = ++this.#ids;
    const session: OpenSession = {
      id,
      host,
      generation,
      offer,
      open: true,
      inFlight: 0,
      heardMs: this.#simulation.nowMs,
      handle: {
        id,
        client: this.name,
        exportName: offer.name,
        requestsInFlight: 0,
        onWritable: () => this.#fill(session),
        close: () => {
          if (session.open) exports.ended(id);
          this.#ended(session);
        },
      },
    };
    exports.began(session.handle);
    if (!exports.serves(session.handle, offer)) {
      exports.ended(id);
      return;
    }
    this.#session = session;
    this.counts.sessions += 1;
    this.#simulation.note(`${this.name} is served by ${host.name} in generation ${generation}`);
    this.#watcher.attached(session);
    this.#fill(session);
  }

  /** For the world: the process that served it is gone. */
  hostEnded(host: Host): void {
    if (this.#session?.host === host) this.#ended(this.#session);
  }

  #ended(session: OpenSession): void {
    if (!session.open) return;
    session.open = false;
    if (this.#session === session) this.#session = null;
    this.#simulation.note(
      `${this.name} lost its session with ${session.host.name}, ${session.inFlight} open`,
    );
  }

  // ---- requests ----

  #fill(session: OpenSession): void {
    if (!session.open || !this.#working) return;
    for (let lanes = session.inFlight; lanes < this.#plan.inFlightMax; lanes++) this.#askSoon(session);
  }

  #askSoon(session: OpenSession): void {
    session.inFlight += 1;
    const thinkMs = this.#plan.thinkMs * 2 * this.#random.float();
    this.#simulation.clock.after(thinkMs, () => {
      session.inFlight -= 1;
      if (!session.open || !this.#working) return;
      if (!session.offer.port.writable) return;
      this.#ask(session);
    });
  }

  #ask(session: OpenSession): void {
    const batch = this.#random.uint32() % 4 === 0 ? 1 + this.#random.uint32() % 4 : 1;
    const requests = Array.from({ length: batch }, () => this.#request(session));
    session.host.process?.time.run(() => {
      if (!session.open) return;
      session.offer.port.submit(requests);
      for (const request of requests) request.slab?.release();
    });
  }

  /** A flush now, outside of the workload; `done` when it was answered. */
  flushNow(done: (error: VolumeErrorKind | null) => void): boolean {
    const session = this.#session;
    if (session === null) return false;
    const request = this.#flush(session, done);
    session.host.process?.time.run(() => session.offer.port.submit([request]));
    return true;
  }

  #request(session: OpenSession): VolumeRequest {
    const { readShare, flushShare, fuaShare, zeroShare, sectorsMax, places } = this.#plan;
    const dice = this.#random.float();
    if (dice < flushShare) return this.#flush(session, () => {});
    const place = places[this.#random.uint32() % places.length] ?? 0;
    const most = this.#random.uint32() % 16 === 0 ? sectorsMax : Math.min(8, sectorsMax);
    const range = {
      firstSector: place + this.#random.uint32() % 8,
      sectors: 1 + this.#random.uint32() % most,
    };
    if (dice < flushShare + readShare) return this.#read(session, range);
    const zeros = this.#random.float() < zeroShare;
    return this.#write(session, range, { zeros, fua: this.#random.float() < fuaShare });
  }

  #write(
    session: OpenSession,
    range: { readonly firstSector: number; readonly sectors: number },
    { zeros, fua }: { readonly zeros: boolean; readonly fua: boolean },
  ): VolumeRequest {
    const write = this.#registers.writeInvoked(range, { zeros, generation: session.generation });
    let slab: Slab | null = null;
    if (!zeros) {
      // A slab is filled anew once it is free: whoever uses it too long ships rubbish.
      slab = new Slab(range.sectors * SECTOR_BYTES, (free) => free.bytes.fill(0xee));
      fillSectors(slab.bytes, { id: write.contents, sector: range.firstSector });
    }
    const kind = zeros
      ? (this.#random.uint32() % 2 === 0 ? "trim" as const : "write_zeroes" as const)
      : "write";
    return this.#make(session, {
      kind,
      range,
      fua,
      noHole: kind === "write_zeroes" && this.#random.uint32() % 2 === 0,
      slab,
      done: (error) => {
        if (error !== null) return;
        this.#registers.writeAcknowledged(write, { durable: fua });
        this.#watcher.written(session, write, { fua });
      },
    });
  }

  #read(
    session: OpenSession,
    range: { readonly firstSector: number; readonly sectors: number },
  ): VolumeRequest {
    const read: OpenRead = this.#registers.readInvoked(range);
    return this.#make(session, {
      kind: "read",
      range,
      done: (error, data) => {
        if (error !== null) return;
        const contents = Array.from(
          { length: range.sectors },
          (_, index) =>
            data === undefined ? null : idOfSector(data, index * SECTOR_BYTES, range.firstSector + index),
        );
        this.#registers.readAnswered(read, contents);
      },
    });
  }

  #flush(session: OpenSession, done: (error: VolumeErrorKind | null) => void): VolumeRequest {
    const invoked = this.#registers.invoked();
    return this.#make(session, {
      kind: "flush",
      range: { firstSector: 0, sectors: 0 },
      done: (error) => {
        if (error === null) {
          this.counts.flushes += 1;
          this.#watcher.flushed(session, this.#registers.flushAcknowledged(invoked));
        }
        done(error);
      },
    });
  }

  #make(session: OpenSession, request: {
    readonly kind: VolumeRequest["kind"];
    readonly range: { readonly firstSector: number; readonly sectors: number };
    readonly fua?: boolean;
    readonly noHole?: boolean;
    readonly slab?: Slab | null;
    readonly done: (error: VolumeErrorKind | null, data?: Uint8Array) => void;
  }): VolumeRequest {
    const { kind, range, slab = null } = request;
    this.counts.asked += 1;
    session.inFlight += 1;
    let answered = false;
    return {
      kind,
      volume: session.offer.volume,
      offset: range.firstSector * SECTOR_BYTES,
      length: range.sectors * SECTOR_BYTES,
      fua: request.fua ?? false,
      noHole: request.noHole ?? false,
      payload: slab?.bytes ?? null,
      slab,
      complete: (error, data) => {
        if (answered) {
          this.#simulation.fail("answers: a request is answered once", `${kind} ${range.firstSector}`);
        }
        answered = true;
        session.inFlight -= 1;
        // The session ended before: nobody hears this answer.
        if (!session.open) return;
        this.counts.answered += 1;
        session.heardMs = this.#simulation.nowMs;
        if (error !== null) this.counts.errors += 1;
        this.#watcher.completed(session);
        this.#simulation.note(
          `${this.name} ${kind} ${range.firstSector}+${range.sectors} ${
            error ?? "done"
          } by ${session.host.name}`,
        );
        request.done(error, data);
        this.#fill(session);
      },
    };
  }
}
