/**
 * Where the votes of this node lie: one record file per group under the state directory, opened through the same
 * device opener as the disks, so that a simulated power loss takes an unflushed vote as it would a block.
 */
import { openRecordFile, type RecordFile, recordFileBytes } from "../../volume/record_file.ts";
import { OpenFailure } from "../../volume/open_failure.ts";
import type { DeviceOpener } from "../../volume/device_opener.ts";
import type { VoteOpened } from "../failover/messages.ts";
import { VOTE_FORMAT_VERSION, VOTE_PAYLOAD_MAX } from "../failover/vote_format.ts";

/** The record file's four characters. */
export const VOTE_FILE_MAGIC = "HFVT";

export interface VotePlace {
  readonly opener: DeviceOpener;
  readonly stateDir: string;
  readonly cluster: string;
  readonly node: string;
}

/** Never rejects: a vote that cannot be trusted is refused with its file and the remedy. */
export async function openVote(place: VotePlace, group: string): Promise<VoteOpened> {
  const file = `${place.stateDir}/votes/${group}`;
  const opened = await place.opener.open(file, {
    size: recordFileBytes(VOTE_PAYLOAD_MAX),
    create: "allocated",
    exclusive: false,
  });
  if (opened instanceof OpenFailure) return refused(opened);
  const record = await openRecordFile(opened.device, {
    magic: VOTE_FILE_MAGIC,
    formatVersion: VOTE_FORMAT_VERSION,
    payloadMax: VOTE_PAYLOAD_MAX,
    identity: `${place.cluster}/${group}/${place.node}`,
    both: true,
  });
  if (record instanceof OpenFailure) {
    await opened.device.close();
    return refused(record);
  }
  return { ok: true, file: voteFile(record) };
}

function voteFile(
  record: RecordFile,
): { payload: Uint8Array | null; store(bytes: Uint8Array): ReturnType<RecordFile["store"]> } {
  return {
    get payload() {
      return record.payload;
    },
    store: (bytes) => record.store(bytes),
  };
}

function refused(failure: OpenFailure): VoteOpened {
  return { ok: false, cause: `${failure.file}: ${failure.detail}`, remedy: failure.remedy };
}
