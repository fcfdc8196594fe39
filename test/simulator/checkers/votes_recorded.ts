/**
 * I6 and I11: when a source answers, a majority of the voters has its generation on their disks, and would still have it
 * if the power were lost now. Read from the media themselves, by the product's own formats.
 */
import { majorityOf } from "../../../protocol/member_set.ts";
import { isShapeFailure } from "../../../protocol/shape.ts";
import { recordFileBytes } from "../../../volume/record_file.ts";
import { judgeCopies, readRecord, sectorsFor } from "../../../volume/record_format.ts";
import { decodeVote, VOTE_FORMAT_VERSION, VOTE_PAYLOAD_MAX } from "../../../actors/failover/vote_format.ts";
import { VOTE_FILE_MAGIC } from "../../../actors/node/vote_files.ts";
import { SECTOR_BYTES } from "../workload/payload.ts";
import { GROUP } from "../world/cluster_plan.ts";
import type { Host } from "../world/host.ts";
import type { Simulation } from "../world/simulation.ts";

const COPY_BYTES = recordFileBytes(VOTE_PAYLOAD_MAX) / 2;
const USED_BYTES = sectorsFor(VOTE_PAYLOAD_MAX) * SECTOR_BYTES;

/** The newest generation that this voter's disk remembers; 0: none. */
function recordedBy(host: Host): number {
  const disk = host.shelf.disks.get(`/state/${host.name}/votes/${GROUP}`);
  if (disk === undefined) return 0;
  const seal = {
    magic: VOTE_FILE_MAGIC,
    formatVersion: VOTE_FORMAT_VERSION,
    identity: `simulated/${GROUP}/${host.name}`,
  };
  const verdict = judgeCopies(
    readRecord(seal, disk.peekStable(0, USED_BYTES)),
    readRecord(seal, disk.peekStable(COPY_BYTES, USED_BYTES)),
  );
  if (verdict.kind !== "in_force") return 0;
  const vote = decodeVote(verdict.payload);
  return isShapeFailure(vote) ? 0 : vote.record?.generation.number ?? 0;
}

/** Called when a client is first served in this generation. */
export function checkRecorded(simulation: Simulation, hosts: readonly Host[], generation: number): void {
  const holders = hosts.filter((host) => recordedBy(host) >= generation);
  if (holders.length >= majorityOf(hosts.length)) return;
  simulation.fail(
    "I11: a generation is recorded before it serves",
    `generation ${generation} is on the disks of ${
      holders.map(({ name }) => name).join(", ") || "nobody"
    } only`,
  );
}
