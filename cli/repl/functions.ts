/**
 * What a person has at the prompt: a name, what it does, how it is used. Each is a thin word for a call of the node's
 * list (`actors/admin/repl_session.ts`) and shows its answer as a person wants to see it.
 */
import type {
  ActorLine,
  ActorsReport,
  AdminCommand,
  ClusterStatus,
  EventsReport,
} from "../../protocol/admin_messages.ts";
import type { NodeReport } from "../../protocol/admin_messages.ts";
import type { ActorStateReport, AdminQuestion, TraceReport } from "../../protocol/admin_questions.ts";
import { SENDABLE } from "../../actors/admin/sendable.ts";
import { renderActors } from "../actors_view.ts";
import { formatEvent, mergeEvents } from "../event_order.ts";
import { mergeStatus } from "../../protocol/merge_status.ts";
import { renderStatus } from "../status_view.ts";
import { table } from "../table.ts";

/** Text that is to be printed as it is. */
export class Shown {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    this.lines = lines;
  }
}

export interface ReplHello {
  readonly node: string;
  readonly version: string;
  readonly cluster: string;
  readonly nodes: readonly string[];
  readonly groups: readonly string[];
}

export interface FunctionsOptions {
  readonly hello: ReplHello;
  call(name: string, ...args: unknown[]): Promise<unknown>;
  /** Prints above the prompt, at any moment. */
  print(line: string): void;
  readonly columns: () => number;
  readonly colour: boolean;
  /** Resolves after `ms`. */
  wait(ms: number): Promise<void>;
}

export interface ReplFunction {
  readonly usage: string;
  readonly means: string;
  run(...args: never[]): unknown;
}

export const TRACE_DEFAULTS = { messages: 50, seconds: 30 } as const;
const TRACE_READ_MS = 250;
const TOP_DEFAULT = 12;

export function replFunctions(options: FunctionsOptions): Readonly<Record<string, ReplFunction>> {
  return {
    ...looking(options),
    ...surveying(options),
    ...tracing(options),
    ...acting(options),
    ...ordering(options),
  };
}

type Functions = Record<string, ReplFunction>;

function looking({ call, columns, hello }: FunctionsOptions): Functions {
  const ask = <T>(about: string, question: AdminQuestion) => call("question", about, question) as Promise<T>;
  const actors = (about: string = hello.node) =>
    about === hello.node
      ? call("actors") as Promise<ActorsReport>
      : ask<ActorsReport>(about, { kind: "actors" });
  const busiest = async (count: number, of: (line: ActorLine) => number, about?: string) => {
    const { actors: lines } = await actors(about);
    const rows = lines.toSorted((a, b) => of(b) - of(a)).slice(0, count).map((line) => [
      line.path,
      String(line.depth.system),
      String(line.depth.control),
      String(line.depth.data),
      String(line.messages),
      String(line.restarts),
    ]);
    return new Shown(table(DEPTH_COLUMNS, rows, { columns: columns(), indent: "" }));
  };
  return {
    tree: {
      usage: "tree(node?)",
      means: "the supervision tree, with depths, restarts and last errors",
      run: async (about?: string) =>
        new Shown(renderActors(await actors(about), { columns: columns(), tree: true })),
    },
    actors: {
      usage: "actors(node?)",
      means: "the same as values: path, state, depth, messages, restarts, lastError",
      run: async (about?: string) => (await actors(about)).actors,
    },
    peek: {
      usage: "peek(path, node?)",
      means: "what an actor shows of its state; the end of a path is enough",
      run: async (path: string, about: string = hello.node) => {
        const lines = (await actors(about)).actors.filter((line) =>
          line.path === path || line.path.endsWith(`/${path}`)
        );
        const found = lines.length === 1 ? lines[0]?.path ?? path : path;
        return (await ask<ActorStateReport>(about, { kind: "state", path: found })).state;
      },
    },
    depths: {
      usage: "depths(node?)",
      means: "mailboxes, deepest first, by lane",
      run: (about?: string) =>
        busiest(TOP_DEFAULT, ({ depth }) => depth.system + depth.control + depth.data, about),
    },
    top: {
      usage: "top(count?, node?)",
      means: "actors by messages received",
      run: (count: number = TOP_DEFAULT, about?: string) => busiest(count, ({ messages }) => messages, about),
    },
  };
}

function surveying({ call, columns, colour, hello }: FunctionsOptions): Functions {
  const ask = <T>(about: string, question: AdminQuestion) => call("question", about, question) as Promise<T>;
  return {
    status: {
      usage: "status()",
      means: "the cluster, merged from all nodes",
      run: async () => {
        const status = await merged({ hello, ask });
        return new Shown(renderStatus(status, { columns: columns(), colour }));
      },
    },
    cluster: {
      usage: "cluster()",
      means: "the same as values, as `status --json` has them",
      run: () => merged({ hello, ask }),
    },
    events: {
      usage: "events(count?)",
      means: "what happened on all nodes, oldest first",
      run: async (count: number = 20) => {
        const reports = await Promise.allSettled(
          hello.nodes.map((node) => ask<EventsReport>(node, { kind: "events", limit: Math.min(200, count) })),
        );
        const histories = reports.flatMap((each) => each.status === "fulfilled" ? [each.value.events] : []);
        return new Shown(mergeEvents(histories).slice(-count).map(formatEvent));
      },
    },
  };
}

const DEPTH_COLUMNS = [
  { title: "ACTOR" },
  { title: "SYSTEM", alignRight: true, dispensable: 2 },
  { title: "CONTROL", alignRight: true },
  { title: "DATA", alignRight: true },
  { title: "MESSAGES", alignRight: true, dispensable: 1 },
  { title: "RESTARTS", alignRight: true, dispensable: 3 },
] as const;

async function merged(
  { hello, ask }: {
    readonly hello: ReplHello;
    readonly ask: <T>(about: string, question: AdminQuestion) => Promise<T>;
  },
): Promise<ClusterStatus> {
  const unreachable = new Map<string, string>();
  const reports = await Promise.all(hello.nodes.map(async (node) => {
    try {
      return [await ask<NodeReport>(node, { kind: "status" })];
    } catch (error) {
      unreachable.set(node, error instanceof Error ? error.message : String(error));
      return [];
    }
  }));
  return mergeStatus(reports.flat(), { nodes: hello.nodes, unreachable });
}

function tracing({ call, print, wait }: FunctionsOptions): Functions {
  const running = new Set<string>();
  const follow = async (trace: string) => {
    running.add(trace);
    for (let after = 0; running.has(trace);) {
      await wait(TRACE_READ_MS);
      const report = await call("traceRead", trace, after) as TraceReport | null;
      for (const line of report?.lines ?? []) {
        print(`${line.at.slice(11, 23)} ${line.path} ${line.message}`);
        after = line.seq;
      }
      if (report?.armed !== true) {
        if (running.delete(trace)) print(`(the trace of ${report?.path ?? "it"} has ended)`);
        return;
      }
    }
  };
  return {
    trace: {
      usage: "trace(path, { messages, seconds }?)",
      means:
        `print an actor's mail as it comes; ends by itself (default ${TRACE_DEFAULTS.messages} messages, ${TRACE_DEFAULTS.seconds} s)`,
      run: async (path: string, caps: { readonly messages?: number; readonly seconds?: number } = {}) => {
        const { messages, seconds } = { ...TRACE_DEFAULTS, ...caps };
        const { trace, path: at } = await call("traceStart", path, messages, seconds * 1_000) as TraceReport;
        follow(trace).catch((error: Error) => print(`(the trace of ${at} has ended: ${error.message})`));
        return new Shown([`tracing ${at}, at most ${messages} messages or ${seconds} s; untrace() ends it`]);
      },
    },
    untrace: {
      usage: "untrace()",
      means: "end all traces of this session",
      run: async () => {
        const traces = [...running];
        running.clear();
        for (const trace of traces) await call("traceStop", trace);
        return new Shown([`${traces.length} traces ended`]);
      },
    },
  };
}

function acting({ call }: FunctionsOptions): Functions {
  return {
    restart: {
      usage: "restart(path)",
      means: "end an actor as a bug of its own would; its supervisor starts it again",
      run: (path: string) => call("restart", path),
    },
    stop: {
      usage: "stop(path)",
      means: "end an actor in good order; it stays ended until start(path)",
      run: (path: string) => call("stop", path),
    },
    start: {
      usage: "start(path)",
      means: "start an actor that was stopped",
      run: (path: string) => call("start", path),
    },
    messages: {
      usage: "messages(path)",
      means: "which messages may be sent to an actor, and their fields",
      run: (path: string) => {
        const name = path.split("/").at(-1) ?? "";
        return SENDABLE.filter(({ actor }) => actor.test(name)).map(({ kind, fields, means }) => ({
          kind,
          fields,
          means,
        }));
      },
    },
    send: {
      usage: "send(path, { kind, … })",
      means: "send an actor a message, checked first; answers what it answers",
      run: (path: string, message: unknown) => call("send", path, message),
    },
  };
}

function ordering({ call }: FunctionsOptions): Functions {
  const command = (wanted: AdminCommand) => call("command", wanted);
  const leg = (name: string | undefined) => name === undefined ? {} : { leg: name };
  return {
    pause: {
      usage: "pause(group, leg?)",
      means: "stop shipping to a node, or to all",
      run: (group: string, to?: string) => command({ kind: "mirror_pause", group, ...leg(to) }),
    },
    resume: {
      usage: "resume(group, leg?)",
      means: "go on shipping",
      run: (group: string, to?: string) => command({ kind: "mirror_resume", group, ...leg(to) }),
    },
    resync: {
      usage: "resync(group, leg?, { full }?)",
      means: "ship again what may differ, or everything",
      run: (group: string, to?: string, { full = false }: { readonly full?: boolean } = {}) =>
        command({ kind: "mirror_resync", group, full, ...leg(to) }),
    },
    switchover: {
      usage: "switchover(group, node)",
      means: "move a group: drain, resign, promote",
      run: (group: string, to: string) => command({ kind: "switchover", group, to }),
    },
  };
}

/** Every name with its meaning, for `help()`. */
export function helpLines(functions: Readonly<Record<string, ReplFunction>>): string[] {
  const entries = Object.values(functions);
  const width = Math.max(...entries.map(({ usage }) => usage.length));
  return [
    ...entries.map(({ usage, means }) => `  ${usage.padEnd(width)}  ${means}`),
    "",
    "JavaScript runs here, not in the node; await works at the prompt; _ is the last value.",
    "Tab completes names and paths. Ctrl-D or .exit leaves; nothing stays armed in the node.",
  ];
}
