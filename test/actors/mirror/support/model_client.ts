/** A client of the volume, as a door would be: it asks, keeps the ledger, and checks every read against it. */
import assert from "node:assert/strict";
import type { VolumeErrorKind, VolumePort, VolumeRequest } from "../../../../volume/volume_request.ts";
import { Slab } from "../../../../runtime/slab.ts";
import { type Change, fill, idOf, Ledger, SECTOR_BYTES } from "./ledger.ts";

/** What became of a request. */
export interface Asked {
  readonly change: Change | null;
  answered: boolean;
  error: VolumeErrorKind | null;
  data: Uint8Array | null;
}

export class ModelClient {
  readonly ledger = new Ledger();
  port: VolumePort | null = null;
  /** Reads that saw what they may not. */
  readonly wrongReads: string[] = [];
  /** Called for each answer, in the turn in which it is given. */
  onAnswer: (asked: Asked) => void = () => {};
  answers = 0;
  /** Grows when whoever was source cannot answer any more: an answer to an older question is two sources (I1). */
  #life = 0;

  /** What is not answered by now must never be. */
  forgetOpen(): void {
    this.#life += 1;
  }

  write(range: { sector: number; sectors?: number; volume?: number; fua?: boolean }): Asked {
    return this.submit([this.writeRequest(range)])[0] as Asked;
  }

  zero(
    range: {
      sector: number;
      sectors: number;
      kind?: "trim" | "write_zeroes";
      fua?: boolean;
      noHole?: boolean;
    },
  ): Asked {
    const { sector, sectors, kind = "trim", fua = false, noHole = false } = range;
    const change = this.ledger.change({ kind: "zeroes", volume: 0, firstSector: sector, sectors });
    return this.submit([this.#request(kind, { change, fua, noHole })])[0] as Asked;
  }

  /** A trim of any bytes, which the ledger does not know of. */
  trimBytes(range: { offset: number; length: number }): Asked {
    const { request, asked } = this.#request("trim", {});
    this.submit([{ request: { ...request, ...range }, asked }]);
    return asked;
  }

  flush(): Asked {
    const covered = this.ledger.completedNow();
    return this.submit([
      this.#request("flush", { onDone: () => covered.forEach((c) => c.stable = true) }),
    ])[0] as Asked;
  }

  read(range: { sector: number; sectors?: number; volume?: number }): Asked {
    const { sector, sectors = 1, volume = 0 } = range;
    const before = Array.from(
      { length: sectors },
      (_, index) => this.ledger.readable(volume, sector + index).ids,
    );
    const check = (data: Uint8Array | null) => {
      for (let index = 0; index < sectors; index += 1) {
        const id = idOf(
          (data ?? new Uint8Array()).subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES),
        );
        const now = this.ledger.readable(volume, sector + index).ids;
        const known = before[index]?.includes(id ?? -1) === true || now.includes(id ?? -1);
        if (!known) this.wrongReads.push(`sector ${sector + index}: write ${id} is too old or torn`);
        else if (!this.ledger.isComplete(volume, sector + index, id ?? -1)) {
          this.wrongReads.push(`sector ${sector + index}: write ${id} was read before it was complete`);
        }
      }
    };
    const request = this.#request("read", { volume, sector, sectors, onData: check });
    return this.submit([request])[0] as Asked;
  }

  writeRequest(range: { sector: number; sectors?: number; volume?: number; fua?: boolean }): Pending {
    const { sector, sectors = 1, volume = 0, fua = false } = range;
    const change = this.ledger.change({ kind: "write", volume, firstSector: sector, sectors });
    return this.#request("write", { change, fua });
  }

  /** Like one socket read that brought them all. */
  submit(batch: readonly Pending[]): Asked[] {
    assert.ok(this.port !== null, "a client asks only while the gate is open");
    this.port.submit(batch.map((pending) => pending.request));
    for (const { request } of batch) request.slab?.release();
    return batch.map((pending) => pending.asked);
  }

  #request(kind: VolumeRequest["kind"], more: {
    change?: Change;
    fua?: boolean;
    noHole?: boolean;
    volume?: number;
    sector?: number;
    sectors?: number;
    onDone?: () => void;
    onData?: (data: Uint8Array | null) => void;
  }): Pending {
    const change = more.change ?? null;
    const life = this.#life;
    const asked: Asked = { change, answered: false, error: null, data: null };
    const sectors = change?.sectors ?? more.sectors ?? 0;
    let slab: Slab | null = null;
    if (kind === "write" && change !== null) {
      // A slab is filled anew once it is free: whoever used it too long ships rubbish.
      const payload = fill(change);
      slab = new Slab(payload.byteLength, (free) => free.bytes.fill(0xee));
      slab.bytes.set(payload);
    }
    const request: VolumeRequest = {
      kind,
      volume: change?.volume ?? more.volume ?? 0,
      offset: (change?.firstSector ?? more.sector ?? 0) * SECTOR_BYTES,
      length: sectors * SECTOR_BYTES,
      fua: more.fua ?? false,
      noHole: more.noHole ?? false,
      payload: slab?.bytes ?? null,
      slab,
      complete: (error, data) => {
        assert.equal(asked.answered, false, "a request is answered once");
        assert.equal(life, this.#life, "I1: answered after another source was made");
        this.answers += 1;
        asked.answered = true;
        asked.error = error;
        asked.data = data ?? null;
        if (change !== null) {
          change.completed = true;
          change.failed = error !== null;
          if (error === null && request.fua) change.stable = true;
        }
        if (error === null) {
          more.onDone?.();
          more.onData?.(asked.data);
        }
        this.onAnswer(asked);
      },
    };
    return { request, asked };
  }
}

export interface Pending {
  readonly request: VolumeRequest;
  readonly asked: Asked;
}
