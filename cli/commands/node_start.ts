/**
 * `holdfast node start`: runs a node in the foreground, until it is told to stop.
 *
 * The first SIGTERM or SIGINT drains: the node hands over, closes its doors and ends with code 0, within a bound.
 * The second ends at once, and losing power then is what a node must survive anyway. Standard input is not read
 * (a service has /dev/null there), unless HOLDFAST_END_WITH_INPUT says that its end is the node's end.
 */
import process from "node:process";
import { nodeNamed } from "../../config/cluster_config.ts";
import { loadConfig } from "../../config/load_config.ts";
import { formatProblem } from "../../config/problem.ts";
import type { Command, Invocation } from "../command.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { serviceManager } from "../systemd.ts";
import { configFile, needConfig, stateDirOf, unknownName } from "../target.ts";

export const nodeStart: Command = {
  words: "node start",
  summary: "run a node in the foreground",
  options: [{
    flags: "--state <dir>",
    means: "its own files (default: .holdfast/NAME beside the configuration)",
  }],
  examples: [
    "node start --config cluster.yaml --node alpha",
    "node start --config cluster.yaml --node alpha --state /var/lib/holdfast",
  ],
  run: async (invocation) => {
    const { shared, options, terminal } = invocation;
    const config = needConfig(shared);
    const names = config.nodes.map(({ name }) => name);
    if (shared.node === undefined) {
      throw new Failure("start a node: which one was not said", {
        exitCode: EXIT.usage,
        remedy: `--node ${names.join(" or --node ")}`,
      });
    }
    if (nodeNamed(config, shared.node) === undefined) throw unknownName("node", shared.node, names);
    warn(invocation);
    const state = options["state"];
    const stateDir = typeof state === "string" ? state : stateDirOf(config.file, shared.node);
    // Loaded only here: the other commands need none of it.
    const { startNode } = await import("../../actors/node/start.ts");
    const { loadPage } = await import("../../dashboard/page_files.ts");
    const manager = serviceManager((line) => terminal.err(`${line}\n`));
    const node = shared.node;
    const running = await startNode({
      config,
      node,
      stateDir,
      page: loadPage(),
      onReady: () => {
        terminal.out(`holdfast: node ${node} ready (process ${process.pid}, state ${stateDir})\n`);
        manager.ready(`node ${node} ready`);
      },
    }).catch((error: unknown) => {
      throw asFailure(error);
    });
    stopOnSignals((signal) => {
      terminal.err(`holdfast: node ${node}: ${signal}: handing over and stopping; again ends at once\n`);
      manager.stopping();
      return running.stop(`signal ${signal}`);
    }, { node, terminal, drainMs: shared.timeoutMs });
    if (process.env["HOLDFAST_END_WITH_INPUT"] === "1") endWithInput();
    const exitCode = await running.stopped;
    manager.close();
    return exitCode === EXIT.done ? EXIT.done : EXIT.failed;
  },
};

function warn({ shared, terminal }: Invocation): void {
  const file = configFile(shared);
  for (const warning of loadConfig(file).warnings) {
    terminal.err(`holdfast: Warning: ${formatProblem(file, warning)}\n`);
  }
}

/** What a node says about its surroundings is for a person; anything else is a bug and keeps its stack. */
function asFailure(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.startsWith("Cannot ")) return error;
  return new Failure(error.message.slice("Cannot ".length), { exitCode: EXIT.failed });
}

/**
 * A node of a demo or a test must not outlive who started it, however that one ended: its standard input closes then.
 * Only on request, since a service has no standard input at all.
 */
function endWithInput(): void {
  process.stdin.on("end", () => process.exit(EXIT.failed));
  process.stdin.resume();
}

interface Draining {
  readonly node: string;
  readonly terminal: Invocation["terminal"];
  readonly drainMs: number;
}

function stopOnSignals(stop: (signal: string) => Promise<void>, draining: Draining): void {
  const { node, terminal, drainMs } = draining;
  let stopping = false;
  const end = (why: string, exitCode: ExitCode) => {
    terminal.err(`holdfast: node ${node}: ${why}\n`);
    process.exit(exitCode);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) return end(`${signal} again: ended at once`, EXIT.failed);
    stopping = true;
    const bound = setTimeout(() => end(`not drained within ${drainMs} ms: ended`, EXIT.failed), drainMs);
    stop(signal).then(() => clearTimeout(bound), (error: unknown) => {
      end(`stopping failed: ${error instanceof Error ? error.message : String(error)}`, EXIT.failed);
    });
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}
