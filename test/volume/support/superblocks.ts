/** Superblocks for tests: one with everything in it. */
import type { Superblock } from "../../../volume/superblock_format.ts";

export const ID_A = "0123456789abcdef0123456789abcdef";
export const ID_B = "fedcba9876543210fedcba9876543210";

export function fullSuperblock(): Superblock {
  return {
    group: "db",
    volume: "data",
    node: "alpha",
    groupId: ID_A,
    size: 5 * 2 ** 40 + 4096,
    regionBytes: 65_536,
    hotRegionBytes: 4 * 2 ** 20,
    diskState: "inconsistent",
    zero: false,
    history: [
      { generation: { number: 1, id: ID_A }, source: "alpha", baseSeq: 0, lossless: true },
      { generation: { number: 4, id: ID_B }, source: "beta", baseSeq: 2 ** 53 - 2, lossless: false },
    ],
    stable: { generation: 4, seq: 2 ** 53 - 1 },
    record: {
      groupId: ID_A,
      generation: { number: 4, id: ID_B },
      source: "beta",
      version: 3,
      members: [{ node: "beta", mode: "sync" }, { node: "alpha", mode: "commit" }],
      voters: ["alpha", "beta", "gamma"],
      replicas: ["alpha", "beta", "gamma"],
    },
    peers: [{ node: "beta", bitmap: "bitmap-beta" }, { node: "gamma", bitmap: "bitmap-gamma" }],
    resync: { source: "beta", kind: "partial", undo: { path: "undo-1", offset: 4096 } },
    cleanShutdown: false,
  };
}
