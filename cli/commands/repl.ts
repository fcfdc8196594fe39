/** `holdfast repl [NODE]`: a shell attached to a running node through its own socket. */
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import type { ActorsReport } from "../../protocol/admin_messages.ts";
import { attachCalls, type AttachedCalls } from "../../actors/admin/repl_link.ts";
import type { Command, Invocation, SharedOptions } from "../command.ts";
import { EXIT, Failure } from "../failure.ts";
import { helpLines, replFunctions, type ReplHello, Shown } from "../repl/functions.ts";
import { createShell, type Shell } from "../repl/shell.ts";
import { configFile, needConfig, replSocketOf, unknownName } from "../target.ts";

const CONNECT_MS = 5_000;
const CALL_MS = 60_000;
/** How old the paths that Tab offers may be. */
const PATHS_EVERY_MS = 5_000;

export const repl: Command = {
  words: "repl [node]",
  summary: "a shell attached to a running node: look into actors, trace, restart, every command",
  examples: [
    "repl alpha",
    "echo 'tree()' | holdfast repl alpha",
    "repl --admin unix:/var/lib/holdfast/repl.sock",
  ],
  run: async (invocation) => {
    const path = socketPath(invocation);
    const calls = attachCalls(await connected(path));
    try {
      return await attached(invocation, calls);
    } finally {
      calls.detach();
    }
  },
};

async function attached(
  invocation: Invocation,
  calls: AttachedCalls,
): Promise<typeof EXIT.done | typeof EXIT.failed> {
  const { terminal } = invocation;
  const call = (name: string, ...args: unknown[]) => calls.call(name, args, CALL_MS);
  const hello = await call("hello") as ReplHello;
  const interactive = terminal.interactive && process.stdin.isTTY === true;
  const screen: { shell: Shell | null } = { shell: null };
  const functions = replFunctions({
    hello,
    call,
    print: (line) => screen.shell?.print(line),
    columns: () => terminal.columns(),
    colour: terminal.colour,
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  const scope: Record<string, unknown> = {
    ...Object.fromEntries(Object.entries(functions).map(([name, { run }]) => [name, run])),
    help: () => new Shown(helpLines(functions)),
    node: hello.node,
    nodes: hello.nodes,
    groups: hello.groups,
  };
  let paths: readonly string[] = [];
  const learnPaths = () =>
    call("actors").then((report) => {
      paths = (report as ActorsReport).actors.map(({ path }) => path);
    }, () => undefined);
  await learnPaths();
  const learning = setInterval(learnPaths, PATHS_EVERY_MS);
  const shell = screen.shell = createShell({
    prompt: `${hello.cluster}/${hello.node}> `,
    scope,
    interactive,
    colour: terminal.colour && interactive,
    historyFile: interactive ? historyFile(invocation.shared) : null,
    out: terminal.out,
    ended: calls.ended,
    known: () => ({ names: Object.keys(scope), paths, words: [...hello.nodes, ...hello.groups] }),
  });
  if (interactive) {
    terminal.out(
      `attached to ${hello.node} of ${hello.cluster}, Holdfast ${hello.version}; help() lists what there is\n`,
    );
  }
  const why = await shell.run();
  clearInterval(learning);
  if (why === null) return EXIT.done;
  throw new Failure(`stay attached to ${hello.node}: ${why}`, {
    exitCode: EXIT.failed,
    remedy: "holdfast status",
  });
}

/** The socket that was named, that of the named node, else the first of this host's nodes that has one. */
function socketPath({ shared, args }: Invocation): string {
  if (shared.admin !== undefined) return replSocketOf(shared.admin);
  const config = needConfig(shared);
  const names = config.nodes.map(({ name }) => name);
  const wanted = args["node"] ?? shared.node;
  if (wanted !== undefined && !names.includes(wanted)) throw unknownName("node", wanted, names);
  const sockets = (wanted === undefined ? names : [wanted]).map((name) => replSocketOf(name, config.file));
  const found = sockets.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Failure(`attach to ${wanted ?? "a node of this host"}: there is no ${sockets[0]}`, {
    exitCode: EXIT.unreachable,
    remedy: `start the node, or name the socket in its state folder: --admin unix:STATE/repl.sock`,
  });
}

/** Beside the nodes' states, where there are any here. */
function historyFile(shared: SharedOptions): string | null {
  if (shared.admin !== undefined) return null;
  const folder = join(dirname(configFile(shared)), ".holdfast");
  return existsSync(folder) ? join(folder, "repl_history") : null;
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (cause: string) => {
      clearTimeout(timer);
      socket.destroy();
      reject(
        new Failure(`attach to ${path}: ${cause}`, {
          exitCode: EXIT.unreachable,
          remedy: "holdfast status shows which nodes run; the socket is its owner's alone",
        }),
      );
    };
    const socket = connect(path);
    const timer = setTimeout(() => fail(`no answer within ${CONNECT_MS} ms`), CONNECT_MS);
    socket.once("error", (error) => fail(error.message));
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}
