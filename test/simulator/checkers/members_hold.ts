/**
 * I2 and I13, by looking at the disks of the members in the very moment of the answer: a completed write is applied on
 * every `sync` member of the set that the source goes by, and what a completed flush covers is stable on every member.
 */
import type { Session } from "../workload/client.ts";
import { idOfSector, SECTOR_BYTES } from "../workload/payload.ts";
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";
import type { Registers, WriteRecord } from "./registers.ts";

/** Sectors looked at for one flush. */
const SECTORS_MAX = 32;

export class MembersHold {
  readonly #simulation: Simulation;
  readonly #registers: Registers;
  readonly #hosts: ReadonlyMap<string, Host>;
  checks = 0;

  constructor(simulation: Simulation, registers: Registers, hosts: ReadonlyMap<string, Host>) {
    this.#simulation = simulation;
    this.#registers = registers;
    this.#hosts = hosts;
  }

  written(session: Session, write: WriteRecord, { fua }: { readonly fua: boolean }): void {
    for (const { node, mode } of session.host.mirror?.members ?? []) {
      const host = this.#hosts.get(node);
      if (host === undefined) continue;
      // A member that lost its cache is one still, until it has left or caught up: only flushes count there.
      if (mode === "sync" && !host.lossy) {
        this.#look(host, write, { stable: false, checker: "I2: a completed write is on every sync member" });
      }
      if (fua) {
        this.#look(host, write, { stable: true, checker: "I13: a completed FUA is stable on every member" });
      }
    }
  }

  flushed(session: Session, covered: readonly WriteRecord[]): void {
    const members = session.host.mirror?.members ?? [];
    let left = SECTORS_MAX;
    for (const write of covered) {
      if ((left -= write.sectors) < 0) return;
      for (const { node } of members) {
        const host = this.#hosts.get(node);
        if (host === undefined) continue;
        this.#look(host, write, {
          stable: true,
          checker: "I13: a completed flush is stable on every member",
        });
      }
    }
  }

  #look(host: Host, write: WriteRecord, { stable, checker }: { stable: boolean; checker: string }): void {
    const { disk } = host;
    if (disk === undefined) return;
    this.checks += 1;
    const offset = write.firstSector * SECTOR_BYTES;
    const length = write.sectors * SECTOR_BYTES;
    const bytes = stable ? disk.peekStable(offset, length) : disk.peek(offset, length);
    for (let index = 0; index < write.sectors; index++) {
      const sector = write.firstSector + index;
      const found = idOfSector(bytes, index * SECTOR_BYTES, sector);
      if (this.#registers.isNoOlder(write, { sector, contents: found })) continue;
      this.#simulation.fail(
        checker,
        `${host.name} holds ${found} in sector ${sector}, not write ${write.number}`,
      );
      return;
    }
  }
}
