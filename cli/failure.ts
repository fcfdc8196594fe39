/**
 * Why a command did not do what was asked, as a person reads it and as a script does: by its exit code.
 */
export const EXIT = {
  done: 0,
  failed: 1,
  /** Wrong use or configuration. */
  usage: 2,
  /** Refused for safety; the message says why, and what would override it. */
  refused: 3,
  /** Nothing reachable. */
  unreachable: 4,
  /** Timed out, still going on. */
  timedOut: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface FailureOptions {
  readonly exitCode: ExitCode;
  /** What to type instead; without it the message ends at its cause. */
  readonly remedy?: string;
}

/** Thrown by commands for what is no bug; `main.ts` prints it without a stack. */
export class Failure extends Error {
  override name = "Failure";
  readonly exitCode: ExitCode;
  readonly remedy: string | undefined;

  /** `message` goes on after `Cannot `: `pause the mirror of db: …`. */
  constructor(message: string, options: FailureOptions) {
    super(message);
    this.exitCode = options.exitCode;
    this.remedy = options.remedy;
  }
}

/** `holdfast: Cannot …: … (try: …)` */
export function formatFailure(failure: Failure): string {
  const remedy = failure.remedy === undefined ? "" : ` (try: ${failure.remedy})`;
  return `holdfast: Cannot ${failure.message}${remedy}`;
}
