/**
 * OCF resource agents (`ocf:heartbeat:IPaddr2` and 140 more), run as Pacemaker runs them but without it.
 *
 * An agent is a script with one argument, the action; its parameters come as `OCF_RESKEY_…`, its verdict is the exit
 * code (`ocf_code_table.ts`), its words for people the lines `ocf-exit-reason:…` on standard error. How long an action
 * may take and how often to monitor is its own advice, read from its metadata by `validate`.
 *
 * Promotable agents call Pacemaker's programs (`crm_master`, `crm_mon`, …) and are given ours: `pacemaker_shim.ts`.
 */
import { mkdir, readdir } from "node:fs/promises";
import { type AgentMetadata, METADATA_BYTES_MAX, parseAgentMetadata } from "../agent_metadata.ts";
import { checkParameters, type ParameterFinding, type Parameters } from "../agent_parameters.ts";
import { causeOf } from "../deadline.ts";
import { DEFAULT_PATH, describeOutcome, type ProgramOutcome, type ProgramRunner } from "../program.ts";
import { suggestion } from "../../runtime/did_you_mean.ts";
import { kitOutcome } from "./kit_outcome.ts";
import { judgeCode } from "./ocf_code_table.ts";
import {
  type ActionTimes,
  DEFAULT_TIMES,
  type KitAction,
  type KitCall,
  type KitOutcome,
  type PromotableKit,
} from "./recovery_kit.ts";

export interface OcfAgentOptions {
  /** `heartbeat`. */
  readonly provider: string;
  /** `IPaddr2`. */
  readonly type: string;
  /** Names this use of the agent on this node; agents make file names of it. */
  readonly instance: string;
  readonly parameters: Parameters;
  readonly programs: ProgramRunner;
  /** This node, as the cluster names it. */
  readonly node: string;
  /** Holds Pacemaker's programs, or ours. Default: none of them is found. */
  readonly shimFolder?: string;
  /** One copy of several, of which one is promoted: agents behave otherwise without it. */
  readonly promotable?: { readonly copies: number };
  /** More for the environment: what a promotable agent is told of its peers (`OCF_RESKEY_CRM_meta_…`). */
  readonly environment?: Readonly<Record<string, string>>;
  /** Default `/usr/lib/ocf`. */
  readonly root?: string;
  /** Where agents remember what they started; must be empty after a reboot. Default `/run/resource-agents`. */
  readonly rememberFolder?: string;
}

const ROOT = "/usr/lib/ocf";
const REMEMBER_FOLDER = "/run/resource-agents";
const REASON_PREFIX = "ocf-exit-reason:";
/** The feature set of Pacemaker 2.1.5: agents choose by it which options the helper programs know. */
const FEATURE_SET = "3.16.2";
const METADATA_TIMEOUT_MS = 10_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export class OcfAgent implements PromotableKit {
  readonly name: string;
  readonly #options: OcfAgentOptions;
  #metadata: AgentMetadata | undefined;

  constructor(options: OcfAgentOptions) {
    this.#options = options;
    this.name = `${options.provider}:${options.type}`;
  }

  start(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("start", call);
  }

  stop(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("stop", call);
  }

  monitor(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("monitor", call);
  }

  promote(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("promote", call);
  }

  demote(call: KitCall = {}): Promise<KitOutcome> {
    return this.#act("demote", call);
  }

  times(action: KitAction): ActionTimes {
    const advised = this.#metadata?.actions.find((each) => each.name === action);
    return {
      timeoutMs: advised?.timeoutMs || DEFAULT_TIMES.timeoutMs,
      intervalMs: action === "monitor" ? advised?.intervalMs || DEFAULT_TIMES.intervalMs : null,
    };
  }

  async validate(call: KitCall = {}): Promise<readonly ParameterFinding[]> {
    const { provider, type, parameters } = this.#options;
    if (!NAME.test(provider) || !NAME.test(type)) {
      return [await this.#unknownAgent("it is no name of an agent")];
    }
    const outcome = await this.#run("meta-data", { timeoutMs: METADATA_TIMEOUT_MS, ...call });
    if (outcome.kind === "not_started") return [await this.#unknownAgent(outcome.cause)];
    const metadata = outcome.kind === "exited" && outcome.code === 0
      ? parseAgentMetadata(outcome.stdout)
      : { cause: describeOutcome(type, outcome) };
    if ("cause" in metadata) return [await this.#unknownAgent(metadata.cause)];
    this.#metadata = metadata;
    const findings = checkParameters(parameters, { metadata });
    if (findings.length > 0 || !metadata.actions.some((each) => each.name === "validate-all")) {
      return findings;
    }
    const timeoutMs = metadata.actions.find((each) => each.name === "validate-all")?.timeoutMs ?? undefined;
    const checked = await this.#run("validate-all", {
      timeoutMs: timeoutMs || DEFAULT_TIMES.timeoutMs,
      ...call,
    });
    if (checked.kind === "exited" && checked.code === 0) return [];
    const { reason } = kitOutcome(checked, {
      program: this.name,
      judge: (code) => judgeCode("start", code),
      reason: exitReason,
    });
    const remedy = `look at the parameters of ${this.name}`;
    return [{ parameter: "ocf", message: reason ?? "does not accept its parameters", remedy }];
  }

  async #act(action: KitAction, call: KitCall): Promise<KitOutcome> {
    const outcome = await this.#run(action, { timeoutMs: this.times(action).timeoutMs, ...call });
    return kitOutcome(outcome, {
      program: this.name,
      judge: (code) => judgeCode(action, code),
      reason: exitReason,
    });
  }

  async #run(action: string, call: KitCall & { readonly timeoutMs: number }): Promise<ProgramOutcome> {
    const { programs, provider, type, root = ROOT, rememberFolder = REMEMBER_FOLDER } = this.#options;
    try {
      // Gone after each boot, and an agent that cannot remember does not start.
      await mkdir(rememberFolder, { recursive: true });
    } catch (error) {
      return { kind: "not_started", missing: false, cause: `${rememberFolder}: ${causeOf(error)}` };
    }
    return programs.run({
      program: `${root}/resource.d/${provider}/${type}`,
      args: [action],
      environment: this.#environment(call),
      timeoutMs: call.timeoutMs,
      ...(action === "meta-data" ? { outputBytesMax: 2 * METADATA_BYTES_MAX } : {}),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
  }

  #environment({ timeoutMs, depth }: KitCall & { readonly timeoutMs: number }): Record<string, string> {
    const { provider, type, instance, parameters, node, shimFolder, environment = {} } = this.#options;
    const { root = ROOT, rememberFolder = REMEMBER_FOLDER, promotable } = this.#options;
    const reskeys = Object.entries(parameters).map(([name, value]) => [`OCF_RESKEY_${name}`, value]);
    return {
      OCF_ROOT: root,
      OCF_RA_VERSION_MAJOR: "1",
      OCF_RA_VERSION_MINOR: "1",
      OCF_RESOURCE_INSTANCE: instance,
      OCF_RESOURCE_PROVIDER: provider,
      OCF_RESOURCE_TYPE: type,
      OCF_EXIT_REASON_PREFIX: REASON_PREFIX,
      HA_RSCTMP: rememberFolder,
      OCF_RESKEY_crm_feature_set: FEATURE_SET,
      OCF_RESKEY_CRM_meta_timeout: String(Math.round(timeoutMs)),
      OCF_RESKEY_CRM_meta_on_node: node,
      OCF_RESKEY_CRM_meta_name: instance,
      ...(depth === undefined ? {} : { OCF_CHECK_LEVEL: String(depth) }),
      ...(shimFolder === undefined
        ? {}
        : { HA_SBIN_DIR: shimFolder, PATH: `${shimFolder}:${DEFAULT_PATH}`, SHELL: "/bin/bash" }),
      ...(promotable === undefined ? {} : promotableMeta(promotable.copies)),
      ...environment,
      ...Object.fromEntries(reskeys),
    };
  }

  async #unknownAgent(cause: string): Promise<ParameterFinding> {
    const { provider, type, root = ROOT } = this.#options;
    const message = `there is no agent ${this.name}: ${cause}`;
    const known = await agentsIn(
      NAME.test(provider) ? `${root}/resource.d/${provider}` : `${root}/resource.d`,
    );
    const remedy = known.length === 0 ? "apt-get install resource-agents" : suggestion(type, known);
    return { parameter: "ocf", message, remedy };
  }
}

/** What Pacemaker tells a promotable clone of itself, under the names before and after 2.0. */
function promotableMeta(copies: number): Record<string, string> {
  return {
    OCF_RESKEY_CRM_meta_promotable: "true",
    OCF_RESKEY_CRM_meta_promoted_max: "1",
    OCF_RESKEY_CRM_meta_promoted_node_max: "1",
    OCF_RESKEY_CRM_meta_master_max: "1",
    OCF_RESKEY_CRM_meta_master_node_max: "1",
    OCF_RESKEY_CRM_meta_clone: "0",
    OCF_RESKEY_CRM_meta_clone_max: String(copies),
    OCF_RESKEY_CRM_meta_clone_node_max: "1",
    OCF_RESKEY_CRM_meta_notify: "true",
  };
}

/** For a suggestion only: a folder that cannot be read suggests nothing. */
async function agentsIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

/** The last reason given: earlier ones belong to what the agent tried before. */
function exitReason({ stderr }: { readonly stderr: string }): string | null {
  const lines = stderr.split("\n").filter((line) => line.startsWith(REASON_PREFIX));
  return lines.at(-1)?.slice(REASON_PREFIX.length).trim() ?? null;
}
