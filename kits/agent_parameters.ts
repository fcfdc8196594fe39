/**
 * The parameters of a configuration held against what an agent says that it takes: every problem at once, with what
 * was probably meant. Pure.
 *
 * A kind that agents use loosely (`string` that is a time, `integer` that may be empty) is not checked further than it
 * is clear: a check that refuses what works would be switched off.
 */
import { suggestion } from "../runtime/did_you_mean.ts";
import type { AgentMetadata, AgentParameter } from "./agent_metadata.ts";

/** Like a problem of the configuration: which parameter, what is wrong, what to do. */
export interface ParameterFinding {
  readonly parameter: string;
  readonly message: string;
  readonly remedy: string;
}

export interface ParameterCheck {
  readonly metadata: AgentMetadata;
  /** Names that we set ourselves: they are neither missing nor to be given. */
  readonly ours?: readonly string[];
}

export type Parameters = Readonly<Record<string, string>>;

/** Deprecated names are fine: they work. Empty: all is well. */
export function checkParameters(
  given: Parameters,
  { metadata, ours = [] }: ParameterCheck,
): ParameterFinding[] {
  const known = new Map(metadata.parameters.map((parameter) => [parameter.name, parameter]));
  const proposed = metadata.parameters.filter((each) => !each.deprecated && !ours.includes(each.name))
    .map((each) => each.name);
  const findings: ParameterFinding[] = [];
  for (const [name, value] of Object.entries(given)) {
    const parameter = known.get(name);
    if (ours.includes(name)) {
      findings.push({ parameter: name, message: "is set by Holdfast itself", remedy: "leave it out" });
    } else if (parameter === undefined) {
      const message = `is no parameter of ${metadata.name}`;
      findings.push({ parameter: name, message, remedy: suggestion(name, proposed) });
    } else findings.push(...checkValue(parameter, value));
  }
  for (const parameter of metadata.parameters) {
    if (!parameter.required || parameter.deprecated || ours.includes(parameter.name)) continue;
    if (namesOf(parameter, metadata).some((name) => Object.hasOwn(given, name))) continue;
    const what = parameter.description === "" ? "" : ` (${parameter.description})`;
    findings.push({
      parameter: parameter.name,
      message: `is required by ${metadata.name}${what}`,
      remedy: `add ${parameter.name}`,
    });
  }
  return findings;
}

/** A parameter, the older name whose place it takes, and whatever takes its own place. */
function namesOf(parameter: AgentParameter, metadata: AgentMetadata): string[] {
  const newer = metadata.parameters.filter((each) => each.obsoletes === parameter.name).map((each) =>
    each.name
  );
  return [parameter.name, ...newer, ...(parameter.obsoletes === null ? [] : [parameter.obsoletes])];
}

const BOOLEANS = ["1", "0", "true", "false", "yes", "no", "on", "off", "y", "n"];

function checkValue(parameter: AgentParameter, value: string): ParameterFinding[] {
  const wrong = (message: string, remedy: string) => [{ parameter: parameter.name, message, remedy }];
  // Agents are told their parameters line by line or by environment: neither holds these.
  const control = [...value].some((letter) => letter < " " && letter !== "\t");
  if (control) return wrong("holds a line break or another control character", "write it on one line");
  switch (parameter.type) {
    case "integer":
      return /^[+-]?\d+$/.test(value) ? [] : wrong(`"${value}" is not a whole number`, "a whole number");
    case "boolean":
      return BOOLEANS.includes(value.toLowerCase())
        ? []
        : wrong(`"${value}" is neither true nor false`, suggestion(value, ["true", "false"]));
    case "select":
      return parameter.options.length === 0 || parameter.options.includes(value)
        ? []
        : wrong(`"${value}" is none of its values`, suggestion(value, parameter.options));
    default:
      return [];
  }
}
