/**
 * Why a file beside or under a volume was not opened. A person must be able to act on it, so each one names the
 * file, says what is wrong and what would mend it. Nothing is ever guessed at: a file that is not certainly ours
 * and certainly whole is left as it is.
 *
 * A class only so that `instanceof` tells it from a device; it is a value and is never thrown.
 */
export type OpenFailureKind =
  | "is_directory"
  | "not_found"
  | "no_permission"
  /** Another process has it, or the kernel does (a mounted block device). */
  | "busy"
  | "too_small"
  /** Neither a regular file nor a block device. */
  | "wrong_kind"
  | "no_space"
  | "io_error"
  /** Written by Holdfast for another group, volume, node or peer, or not by Holdfast at all. */
  | "foreign"
  | "newer_version"
  /** Checksums are wrong in every copy. */
  | "damaged"
  /** A disk without superblock that is not all zero. */
  | "holds_data";

export class OpenFailure {
  readonly kind: OpenFailureKind;
  readonly file: string;
  /** What is wrong, beginning in lower case, without the file's name. */
  readonly detail: string;
  /** What a person can do, in the imperative, without brackets. */
  readonly remedy: string;

  constructor(kind: OpenFailureKind, options: { file: string; detail: string; remedy: string }) {
    this.kind = kind;
    this.file = options.file;
    this.detail = options.detail;
    this.remedy = options.remedy;
  }

  /** "Cannot open /srv/a.img: it is a directory (try: name a file inside it)". */
  toString(): string {
    return `Cannot open ${this.file}: ${this.detail} (try: ${this.remedy})`;
  }
}
