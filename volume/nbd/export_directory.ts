/**
 * Which exports a server has, and why not the others: the one question that a handshake puts to the world.
 *
 * The owner of the sessions implements it from what the node knows at that moment. A node that is not the source
 * of a volume refuses it and says in the refusal who the source is; NBD itself has no redirection.
 * Answers are values and come at once: a handshake never waits for a cluster.
 */
import type { VolumePort } from "../volume_request.ts";

export interface ExportOffer {
  /** The canonical name: the volume's. */
  readonly name: string;
  /** For people. */
  readonly description: string;
  /** Bytes, up to 2^53 − 1. */
  readonly size: number;
  readonly readOnly: boolean;
  /** Index of the volume in its group, put into each request. */
  readonly volume: number;
  /** Where the requests go. */
  readonly port: VolumePort;
}

export interface ExportRefusal {
  /**
   * `unknown`: there is no such export. `policy`: there is, and it is not served here (the message says where).
   * `shutdown`: the node is stopping. `block_size`: the client must first agree to a block size.
   */
  readonly refused: "unknown" | "policy" | "shutdown" | "block_size";
  /** For people, at most 4,096 bytes are sent. */
  readonly message: string;
}

export interface ExportDirectory {
  /**
   * The exports served here at this moment, and no others: clients that list (`nbdinfo --list`) then ask for each
   * one, and give up at the first refusal.
   */
  list(): readonly string[];
  /** `""` is the default export: the only volume, where there is only one. */
  find(name: string): ExportOffer | ExportRefusal;
}
