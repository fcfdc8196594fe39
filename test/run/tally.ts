/**
 * Counts, and decides what counts as a failure. Pure, so that the one line everybody believes has tests of its own.
 */
import type { TestCase } from "./junit.ts";

/** What one run of one file on one runtime gave. */
export interface FileResult {
  /** Stage and file, for people: `node: test/runtime/clock_test.ts`. */
  readonly label: string;
  readonly cases: readonly TestCase[];
  readonly exitCode: number;
  /** Unhandled rejections and late throws that the runtime itself let pass. */
  readonly leaks: readonly string[];
  readonly timedOut: boolean;
  /** Everything the file printed. */
  readonly output: string;
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** One line for each failure that no test case stands for, and for each skip that is not allowed. */
  readonly problems: readonly string[];
}

/**
 * With `strict` (CI) a skipped test is a failure, except one that needs what the kernel itself lacks: such a test
 * says `[kernel: …]` in its name or begins its reason with `kernel`.
 */
export function tallyFile(result: FileResult, options: { readonly strict: boolean }): Tally {
  const problems: string[] = [];
  const count = (outcome: TestCase["outcome"]) => result.cases.filter((each) => each.outcome === outcome);
  let failed = count("failed").length;
  let skipped = 0;
  for (const each of count("skipped")) {
    if (options.strict && !needsKernel(each)) {
      failed += 1;
      problems.push(
        `skipped, which CI does not allow: ${each.name}${each.reason === "" ? "" : ` (${each.reason})`}`,
      );
    } else {
      skipped += 1;
    }
  }
  const extra = problemsBeyondCases(result);
  return {
    passed: count("passed").length,
    failed: failed + extra.length,
    skipped,
    problems: [...problems, ...extra].map((problem) => `${result.label}: ${problem}`),
  };
}

function problemsBeyondCases(result: FileResult): string[] {
  const problems: string[] = [];
  if (result.timedOut) problems.push("ran into its time limit");
  const [leak] = result.leaks;
  if (leak !== undefined) {
    problems.push(`${result.leaks.length} failure(s) that no test awaited, the first: ${leak}`);
  }
  if (result.timedOut || problems.length > 0) return problems;
  if (result.cases.length === 0) problems.push(`ran no test (ended with code ${result.exitCode})`);
  else if (result.exitCode !== 0 && !result.cases.some((each) => each.outcome === "failed")) {
    problems.push(`ended with code ${result.exitCode} though no test failed`);
  }
  return problems;
}

function needsKernel(skipped: TestCase): boolean {
  return skipped.name.includes("[kernel:") || skipped.reason.startsWith("kernel");
}

export function addTallies(tallies: readonly Tally[]): Tally {
  const sum = (pick: (tally: Tally) => number) => tallies.reduce((total, tally) => total + pick(tally), 0);
  return {
    passed: sum((tally) => tally.passed),
    failed: sum((tally) => tally.failed),
    skipped: sum((tally) => tally.skipped),
    problems: tallies.flatMap((tally) => tally.problems),
  };
}

/** The last line of every run, alone on its line. */
export function lastLine(tally: Tally): string {
  return `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`;
}
