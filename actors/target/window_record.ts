/** What the superblocks say while a resync window is open, and when it has closed. */
import type { Position } from "../../protocol/position.ts";
import type { ReplicaView } from "../../protocol/rejoin_table.ts";
import type { DiskOutcome } from "../../volume/block_device.ts";
import type { ResyncWindow } from "../../volume/superblock_format.ts";
import type { ReplicaStore } from "../intent_log/messages.ts";

/**
 * I12: stable before the first block changes. From here on the disk is no prefix of anything.
 *
 * A full resync begins on a disk of which nobody's marks tell the truth: it was empty, or away too long. Whoever is source
 * when it is continued may be another replica, one whose marks never named it; so all is marked here, towards everybody,
 * before the disk claims to have a history (I4).
 */
export async function openWindow(
  store: ReplicaStore,
  { source, resync }: { source: ReplicaView; resync: Pick<ResyncWindow, "source" | "kind"> },
): Promise<DiskOutcome> {
  if (resync.kind === "full") {
    for (const { intentLog } of store.volumes) {
      for (const peer of intentLog.peers) intentLog.markAll(peer);
      const persisted = await intentLog.persist();
      if (persisted !== null) return persisted;
    }
  }
  return store.update({
    groupId: source.groupId,
    history: source.history,
    diskState: "inconsistent",
    zero: false,
    resync: { ...resync, undo: null },
  });
}

/** I12: «up to date» is the last thing to become stable: after the blocks, and after the marks. */
export async function closeWindow(
  store: ReplicaStore,
  { source, stable }: { source: ReplicaView; stable: Position },
): Promise<DiskOutcome> {
  const flushed = await store.flush();
  if (flushed !== null) return flushed;
  for (const { intentLog } of store.volumes) {
    intentLog.localStableUpTo(stable.seq);
    const persisted = await intentLog.persist();
    if (persisted !== null) return persisted;
  }
  const stored = await store.update({
    groupId: source.groupId,
    history: source.history,
    diskState: "up_to_date",
    zero: false,
    stable,
    resync: null,
  });
  // Here and not with the session, which may be over by now: history and position change together or not at all.
  if (stored === null) store.stands(stable);
  return stored;
}
