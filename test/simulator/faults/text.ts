/**
 * A list of faults as a person reads and edits it: one line each, `1171+7 pause node=alpha forMs=1100`. The number is
 * milliseconds of true time, after the plus the turns of the scheduler that still run.
 */
import type { Fault, PlannedFault } from "./plan.ts";

export function formatFault({ atMs, turns, fault }: PlannedFault): string {
  const { kind, ...fields } = fault;
  const words = Object.entries(fields).map(([name, value]) =>
    `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`
  );
  return [`${atMs}${turns === 0 ? "" : `+${turns}`}`, kind, ...words].join(" ");
}

/** Refuses a line that is none; what the fields mean is not checked. */
export function parseFault(line: string): PlannedFault {
  const [when = "", kind = "", ...words] = line.trim().split(/\s+/);
  const [at = "", turns = "0"] = when.split("+");
  if (!/^\d+(\.\d+)?$/.test(at) || !/^\d+$/.test(turns) || kind === "") {
    throw new Error(
      `Cannot read the fault "${line}": it does not begin with a time and a kind (try: 1200 kill node=alpha forMs=500)`,
    );
  }
  const fields = words.map((word) => {
    const [name = "", value = ""] = word.split("=", 2);
    return [name, valueOf(name, value)];
  });
  return { atMs: Number(at), turns: Number(turns), fault: { kind, ...Object.fromEntries(fields) } as Fault };
}

function valueOf(name: string, text: string): unknown {
  if (name === "nodes") return text.split(",");
  if (text === "null") return null;
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
