/**
 * What is wrong with a configuration, so that a person can go to the place and mend it. Pure.
 *
 * All problems are reported at once: a file that is mended one error per run is mended in the evening.
 */
export interface Problem {
  /** From 1; 0 when the file as a whole is meant. */
  readonly line: number;
  readonly column: number;
  /** `groups.db.volumes.data.size`; "" when the file as a whole is meant. */
  readonly field: string;
  /** Goes on after the field's name: `is missing`. */
  readonly message: string;
  readonly remedy: string;
}

/** The same without a place: what a check knows before the text is asked. */
export interface Finding {
  readonly path: readonly PathSegment[];
  /** Which place in the text is meant: the value (default) or its key. */
  readonly at?: "key";
  readonly message: string;
  readonly remedy: string;
}

export type PathSegment = string | number;

export function fieldName(path: readonly PathSegment[]): string {
  return path.map((segment, index) =>
    typeof segment === "number" ? `[${segment}]` : index === 0 ? segment : `.${segment}`
  )
    .join("");
}

/** `cluster.yaml:12:5: groups.db.volumes.data.size is "64" … (try: …)`, as compilers say it, so that editors can jump. */
export function formatProblem(file: string, problem: Problem): string {
  const place = problem.line === 0 ? file : `${file}:${problem.line}:${problem.column}`;
  const subject = problem.field === "" ? "" : `${problem.field} `;
  return `${place}: ${subject}${problem.message} (try: ${problem.remedy})`;
}
