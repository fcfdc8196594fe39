/**
 * Debian's fence agents (`fence_ipmilan`, `fence_virsh`, …) driven by their API: `key=value` lines on standard input,
 * the answer in the exit code.
 *
 * Three habits of theirs shape this file. Their default action is *reboot*, so `action` is always sent. Unknown keys
 * are only warned of, so parameters are held against the agent's own metadata (`check`). And what they print may
 * hold anything, so the answer is the exit code alone: of `status` 0 is on, 2 is off, all else is doubt; of an order 0
 * is taken.
 *
 * Secrets come from files: `passwordFile` is read for every call, so that a changed password needs no restart. It
 * goes over standard input and never into arguments, names or messages.
 */
import { readFile } from "node:fs/promises";
import { type AgentMetadata, METADATA_BYTES_MAX, parseAgentMetadata } from "../agent_metadata.ts";
import { checkParameters, type ParameterFinding, type Parameters } from "../agent_parameters.ts";
import { describeOutcome, type ProgramOutcome, type ProgramRunner } from "../program.ts";
import type { DeviceCall, FenceAction, FenceDevice, OrderOutcome, PowerStatus } from "./fence_device.ts";

export interface FenceAgentOptions {
  /** `fence_ipmilan`: a name, found in the PATH of programs. */
  readonly agent: string;
  /** As the agent names them; `action` and `password` are ours. */
  readonly parameters: Parameters;
  /** Absolute; its first line is the password. */
  readonly passwordFile?: string;
  readonly programs: ProgramRunner;
}

/** What we send ourselves and a configuration may not. */
const OURS = ["action", "password", "passwd"];

export class FenceAgent implements FenceDevice {
  readonly name: string;
  readonly #options: FenceAgentOptions;

  constructor(options: FenceAgentOptions) {
    this.#options = options;
    const { agent, parameters } = options;
    const where = parameters["ip"] ?? parameters["ipaddr"];
    const plug = parameters["plug"] ?? parameters["port"];
    this.name = agent + (where === undefined ? "" : ` at ${where}`) +
      (plug === undefined ? "" : ` plug ${plug}`);
  }

  async order(action: FenceAction, call: DeviceCall): Promise<OrderOutcome> {
    const outcome = await this.#ask(action, call);
    if (outcome.kind === "exited" && outcome.code === 0) return { ok: true };
    return { ok: false, cause: this.#causeOf(outcome) };
  }

  async status(call: DeviceCall): Promise<PowerStatus> {
    const outcome = await this.#ask("status", call);
    if (outcome.kind === "exited" && outcome.code === 0) return { kind: "on" };
    if (outcome.kind === "exited" && outcome.code === 2) return { kind: "off" };
    return { kind: "unknown", cause: this.#causeOf(outcome) };
  }

  async check(call: DeviceCall): Promise<readonly ParameterFinding[]> {
    const { agent, parameters, passwordFile } = this.#options;
    if (!/^fence_[a-z0-9_]+$/.test(agent)) {
      const message = `"${agent}" is no name of a fence agent`;
      return [{ parameter: "agent", message, remedy: "one that begins with fence_, without a path" }];
    }
    const metadata = await this.#metadata(call);
    if ("cause" in metadata) {
      const remedy = `apt-get install fence-agents, and try: ${agent} -o metadata`;
      return [{ parameter: "agent", message: metadata.cause, remedy }];
    }
    const findings = checkParameters(parameters, { metadata, ours: OURS });
    for (const action of ["on", "off", "status"]) {
      if (metadata.actions.some((each) => each.name === action)) continue;
      const message = `${agent} has no action ${action}, so that its power could not be proved`;
      findings.push({ parameter: "agent", message, remedy: "an agent that switches power and tells it" });
    }
    const password = await this.#password();
    if (typeof password === "object") {
      const message = `"${passwordFile}" cannot be read: ${password.cause}`;
      findings.push({
        parameter: "password_file",
        message,
        remedy: "a file with the password in its first line",
      });
    }
    return findings;
  }

  async #metadata(call: DeviceCall): Promise<AgentMetadata | { readonly cause: string }> {
    const { agent, programs } = this.#options;
    const outcome = await programs.run({
      program: agent,
      stdin: "action=metadata\n",
      timeoutMs: call.timeoutMs,
      outputBytesMax: 2 * METADATA_BYTES_MAX,
    });
    if (outcome.kind !== "exited" || outcome.code !== 0) return { cause: this.#causeOf(outcome) };
    const metadata = parseAgentMetadata(outcome.stdout);
    return "cause" in metadata ? { cause: `${agent} says nothing of itself: ${metadata.cause}` } : metadata;
  }

  async #ask(action: FenceAction | "status", call: DeviceCall): Promise<ProgramOutcome> {
    const { agent, parameters, programs } = this.#options;
    const password = await this.#password();
    if (typeof password === "object") {
      const cause = `the password file cannot be read: ${password.cause}`;
      return { kind: "not_started", missing: false, cause };
    }
    const lines = Object.entries(parameters).filter(([name]) => !OURS.includes(name))
      .map(([name, value]) => `${name}=${value}`);
    if (password !== undefined) lines.push(`password=${password}`);
    lines.push(`action=${action}`);
    // A line break in a value would say another parameter, the action even.
    if (lines.some((line) => /[\r\n\0]/.test(line))) {
      return { kind: "not_started", missing: false, cause: "a parameter holds a line break" };
    }
    // An agent that overruns is killed without a grace: it could still carry out its order.
    return programs.run({
      program: agent,
      stdin: `${lines.join("\n")}\n`,
      timeoutMs: call.timeoutMs,
      graceMs: 0,
    });
  }

  async #password(): Promise<string | undefined | { readonly cause: string }> {
    const { passwordFile } = this.#options;
    if (passwordFile === undefined) return undefined;
    try {
      return (await readFile(passwordFile, "utf8")).split(/\r?\n/, 1)[0] ?? "";
    } catch (error) {
      return { cause: error instanceof Error ? error.message : String(error) };
    }
  }

  #causeOf(outcome: ProgramOutcome): string {
    const what = describeOutcome(this.#options.agent, outcome);
    if (outcome.kind === "not_started") return what;
    const said = lastWords(outcome.stderr) ?? lastWords(outcome.stdout);
    return said === undefined ? what : `${what}: ${said}`;
  }
}

const SAID_LENGTH_MAX = 300;

function lastWords(output: string): string | undefined {
  return output.split("\n").map((line) => line.trim()).filter((line) => line !== "").at(-1)
    ?.slice(0, SAID_LENGTH_MAX);
}
