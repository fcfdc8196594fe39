/**
 * A witness that is a folder on storage which all nodes see (NFS, a cluster file system).
 *
 * Locks on such storage are a rumour: they vanish with a server's restart, or were never there. What every file system
 * does keep is that a name is created once. So each version of the vote is a file of its own, `<version>.vote`, and
 * compare-and-set is its exclusive creation: written under another name, made stable, then linked to its number; of
 * two that want the same number one gets it. The highest number is the vote.
 *
 * Old numbers are removed, and a very slow writer could create one again that was long passed. So after linking it looks
 * once more: if a number is there that is so much higher that its own may have been removed before, it has lost. Readers take the
 * highest, so such a leftover never counts.
 *
 * A hung server blocks threads of the process for ever, and those are the same that flush disks. So a register
 * has one call under way at most; while it hangs, further ones are answered at once. Of NFS mount it with `noac`:
 * a stale listing cannot break a compare-and-set, but may show a renewal late.
 */
import { constants } from "node:fs";
import { link, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { causeOf, timely } from "../deadline.ts";
import type {
  RegisterPlace,
  WitnessCall,
  WitnessChange,
  WitnessRead,
  WitnessRegister,
  WitnessWrite,
} from "./witness_register.ts";
import { decodeVote, encodeVote } from "./witness_vote_format.ts";

/** So many versions below the highest stay. A writer slower than this many renewals finds that it lost. */
export const VERSIONS_KEPT = 64;
const RECORD_NAME = /^(\d{16})\.vote$/;
/** A file can vanish between listing and reading; each time means that the vote moved on by many versions. */
const READ_ATTEMPTS = 5;
/** Of writers that died before they linked; living ones have at most one each. */
const UNLINKED_MAX = 64;

export interface SharedFileOptions extends RegisterPlace {
  /** A folder on shared storage; it must exist, since a missing one is storage that is not mounted. */
  readonly folder: string;
  readonly clock?: Clock;
}

export class SharedFileWitness implements WitnessRegister {
  readonly name: string;
  readonly #root: string;
  readonly #folder: string;
  readonly #clock: Clock;
  #underWay = false;
  #closed = false;

  constructor(options: SharedFileOptions) {
    this.name = `file in ${options.folder}`;
    this.#root = options.folder;
    this.#folder = join(options.folder, `${options.cluster}.${options.group}`);
    this.#clock = options.clock ?? systemClock();
  }

  async read(call: WitnessCall): Promise<WitnessRead> {
    return await this.#alone(call, {
      work: () => this.#read(),
      late: (cause): WitnessRead => ({ kind: "unreachable", cause, timedOut: true }),
      failed: (cause): WitnessRead => ({ kind: "unreachable", cause, timedOut: false }),
    });
  }

  async compareAndSet(change: WitnessChange): Promise<WitnessWrite> {
    return await this.#alone(change, {
      work: () => this.#compareAndSet(change),
      late: (cause): WitnessWrite => ({ kind: "unknown", cause, timedOut: true }),
      failed: (cause): WitnessWrite => ({ kind: "unknown", cause, timedOut: false }),
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async #alone<T>(
    { timeoutMs }: WitnessCall,
    { work, late, failed }: {
      readonly work: () => Promise<T>;
      readonly late: (cause: string) => T;
      readonly failed: (cause: string) => T;
    },
  ): Promise<T | { readonly kind: "unreachable"; readonly cause: string; readonly timedOut: boolean }> {
    if (this.#closed) return { kind: "unreachable", cause: "closed", timedOut: false };
    if (this.#underWay) return { kind: "unreachable", cause: "an earlier call still hangs", timedOut: true };
    this.#underWay = true;
    const answer = work().finally(() => this.#underWay = false);
    const outcome = await timely(answer, { clock: this.#clock, timeoutMs });
    if (outcome.kind === "value") return outcome.value;
    return outcome.kind === "late" ? late(outcome.cause) : failed(outcome.cause);
  }

  async #read(): Promise<WitnessRead> {
    for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt++) {
      const version = (await this.#list()).versions.at(-1);
      if (version === undefined) return { kind: "empty" };
      let text: string;
      try {
        text = await readFile(this.#recordPath(version), "utf8");
      } catch (error) {
        if (isCode(error, "ENOENT")) continue;
        throw error;
      }
      const vote = decodeVote(text);
      if ("cause" in vote) return { kind: "damaged", cause: `${this.#recordPath(version)}: ${vote.cause}` };
      return { kind: "found", vote, version, doubtful: false };
    }
    return { kind: "unreachable", cause: "the vote moves on faster than it can be read", timedOut: false };
  }

  async #compareAndSet({ expected, next }: WitnessChange): Promise<WitnessWrite> {
    const version = expected + 1;
    const prepared = join(this.#folder, `.${next.writeId}.new`);
    try {
      // The root is somebody's mount: creating it too would vote on the local disk while it is not mounted.
      if (expected === 0) await mkdir(this.#folder).catch(unless("EEXIST"));
      if (((await this.#list()).versions.at(-1) ?? 0) !== expected) return { kind: "conflict" };
      await writeStable(prepared, encodeVote(next));
    } catch (error) {
      return { kind: "unreachable", cause: causeOf(error), timedOut: false };
    }
    try {
      await link(prepared, this.#recordPath(version));
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw error;
      // An NFS server may have linked it and lost its answer: then what is there is ours.
      const there = decodeVote(await readFile(this.#recordPath(version), "utf8"));
      if ("cause" in there || there.writeId !== next.writeId) return { kind: "conflict" };
    } finally {
      await unlink(prepared).catch(unless("ENOENT"));
    }
    await syncFolder(this.#folder);
    const listed = await this.#list();
    const highest = listed.versions.at(-1) ?? 0;
    if (highest < version) return { kind: "unknown", cause: "the record vanished", timedOut: false };
    if (highest - version >= VERSIONS_KEPT) return { kind: "conflict" };
    await this.#removeOld(listed, highest);
    return { kind: "set", version };
  }

  /** Versions in rising order, and what was never linked. */
  async #list(): Promise<{ readonly versions: readonly number[]; readonly unlinked: readonly string[] }> {
    let names: string[];
    try {
      names = await readdir(this.#folder);
    } catch (error) {
      if (!isCode(error, "ENOENT")) throw error;
      // No folder of ours is an empty register only where the shared folder itself is there.
      await readdir(this.#root);
      names = [];
    }
    const versions = names.flatMap((name) => RECORD_NAME.exec(name)?.[1] ?? []).map(Number).sort((a, b) =>
      a - b
    );
    return { versions, unlinked: names.filter((name) => name.endsWith(".new")) };
  }

  async #removeOld(
    { versions, unlinked }: { readonly versions: readonly number[]; readonly unlinked: readonly string[] },
    highest: number,
  ): Promise<void> {
    const old = versions.filter((version) => version <= highest - VERSIONS_KEPT).map((each) =>
      this.#recordPath(each)
    );
    const debris = unlinked.length > UNLINKED_MAX ? unlinked.map((name) => join(this.#folder, name)) : [];
    for (const path of [...old, ...debris]) await unlink(path).catch(unless("ENOENT"));
  }

  #recordPath(version: number): string {
    return join(this.#folder, `${String(version).padStart(16, "0")}.vote`);
  }
}

async function writeStable(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function unless(code: string): (error: unknown) => void {
  return (error) => {
    if (!isCode(error, code)) throw error;
  };
}
