/**
 * I3 and I4, at any instant: where two replicas differ, one of them has a mark towards the other. Compared are the media
 * and the marks in memory of both, so a mark that is cleared too early is seen even if no crash ever finds it.
 */
import type { GroupStore } from "../../../volume/group_store.ts";
import { SECTOR_BYTES } from "../workload/payload.ts";
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";
import type { Registers } from "./registers.ts";

/** Of a sector: the write that made it, and where it belongs. */
const HEAD_BYTES = 8;

export class MarksCover {
  readonly #simulation: Simulation;
  readonly #registers: Registers;
  readonly #hosts: readonly Host[];
  checks = 0;

  constructor(simulation: Simulation, registers: Registers, hosts: readonly Host[]) {
    this.#simulation = simulation;
    this.#registers = registers;
    this.#hosts = hosts;
  }

  look(): void {
    for (const [index, one] of this.#hosts.entries()) {
      for (const other of this.#hosts.slice(index + 1)) this.#lookAt(one, other);
    }
  }

  #lookAt(one: Host, other: Host): void {
    const ours = readable(one);
    const theirs = readable(other);
    if (ours === null || theirs === null || one.disk === undefined || other.disk === undefined) return;
    this.checks += 1;
    for (const sector of this.#registers.sectors) {
      const offset = sector * SECTOR_BYTES;
      const here = one.disk.peek(offset, HEAD_BYTES);
      const there = other.disk.peek(offset, HEAD_BYTES);
      if (here.every((byte, at) => byte === there[at])) continue;
      if (isMarked(ours, other.name, offset) || isMarked(theirs, one.name, offset)) continue;
      const number = (bytes: Uint8Array) => new DataView(bytes.buffer).getUint32(0);
      this.#simulation.fail(
        "I4: a clear bit means equal blocks",
        `sector ${sector}: ${one.name} holds ${number(here)}, ${other.name} holds ${
          number(there)
        }, neither has a mark`,
      );
      return;
    }
  }
}

function readable(host: Host): GroupStore | null {
  const store = host.process?.store ?? null;
  return store === null || store.view().groupId === null ? null : store;
}

function isMarked(store: GroupStore, peer: string, offset: number): boolean {
  const log = store.volumes[0]?.intentLog;
  if (log === undefined || !log.peers.includes(peer)) return true;
  return log.bitmap(peer).touches(offset, SECTOR_BYTES);
}
