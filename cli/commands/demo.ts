/** `holdfast demo`: the main job shown on one machine, with real processes, a real client and real data. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseSize } from "../../config/units.ts";
import type { Command, Invocation } from "../command.ts";
import { type DemoNode, makeDemoCluster } from "../demo/demo_cluster.ts";
import { Narrator } from "../demo/narrator.ts";
import type { NodeProcess } from "../demo/node_process.ts";
import { readInput } from "../demo/real_input.ts";
import { type DemoReport, tellStory, uriOf } from "../demo/story.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { interrupted } from "../interrupt.ts";

const SIZE_DEFAULT = "64MiB";
/** Of the volume: the rest is the journal's. */
const INPUT_SHARE = 0.75;
const STOP_MS = 10_000;

export const demo: Command = {
  words: "demo",
  summary: "mirror a volume over three nodes here, kill its source, and prove that nothing was lost",
  options: [
    { flags: "--once", means: "end afterwards; code 0 only if all held" },
    { flags: "--dir <dir>", means: "where the cluster lives (default: a temporary folder)" },
    { flags: "--size <size>", means: `of the volume (default: ${SIZE_DEFAULT})` },
    { flags: "--input <file>", means: "what is written to it (default: the files of this project)" },
  ],
  examples: ["demo", "demo --once", "demo --size 1GiB --input backup.tar"],
  run: async (invocation) => {
    const { options, shared, terminal } = invocation;
    const size = textOf(options["size"]) ?? SIZE_DEFAULT;
    const parsed = parseSize(size);
    if (!parsed.ok) {
      throw new Failure(`use --size: it ${parsed.message}`, { exitCode: EXIT.usage, remedy: parsed.remedy });
    }
    const named = textOf(options["input"]);
    if (named !== undefined && !existsSync(named)) {
      throw new Failure(`read ${named}: there is no such file`, {
        exitCode: EXIT.usage,
        remedy: "name a file with --input",
      });
    }
    const dir = textOf(options["dir"]);
    const folder = dir === undefined ? mkdtempSync(join(tmpdir(), "holdfast-demo-")) : resolve(dir);
    const nodes = new Map<DemoNode, NodeProcess>();
    try {
      const input = readInput(named, { bytesMax: Math.floor(parsed.value * INPUT_SHARE) });
      const cluster = await makeDemoCluster(folder, { size });
      const narrator = new Narrator(terminal, { quiet: shared.json });
      const report = await tellStory({ cluster, input, narrator, nodes });
      if (shared.json) terminal.out(`${JSON.stringify(report, null, 2)}\n`);
      else summarise(report, invocation);
      if (options["once"] !== true) await stayUp(report, invocation, uriOf(cluster, report.newSource));
      return report.held ? EXIT.done : EXIT.failed;
    } catch (error) {
      throw asFailure(error);
    } finally {
      await Promise.all([...nodes.values()].map((node) => node.stop({ withinMs: STOP_MS })));
      if (dir === undefined) rmSync(folder, { recursive: true, force: true });
    }
  },
};

function textOf(option: string | boolean | undefined): string | undefined {
  return typeof option === "string" ? option : undefined;
}

function summarise(report: DemoReport, { terminal }: Invocation): void {
  const verdict = report.held ? "All held." : "SOMETHING DID NOT HOLD.";
  terminal.out(
    `\n${verdict} ${report.acknowledgedWrites} acknowledged writes, ${report.blocksLost} lost; ` +
      `${report.killed} killed, ${report.newSource} took over in ${report.failoverSeconds.toFixed(2)} s.\n`,
  );
}

async function stayUp(report: DemoReport, { terminal, shared }: Invocation, uri: string): Promise<void> {
  if (!shared.json) {
    terminal.out(
      [
        "",
        "The cluster stays up; Ctrl-C ends it. Meanwhile, for whoever has these programs:",
        `  nbdinfo ${uri}`,
        `  nbdcopy ${uri} copy.img`,
        `  qemu-io -f raw -c 'read -v 0 512' ${uri}`,
        `  nbd-client ${uri.replace(/^nbd:\/\/([^:]+):(\d+)\/(.*)$/, "$1 $2 -name $3 /dev/nbd0")}`,
        `  bin/holdfast status --watch --config ${join(report.folder, "cluster.yaml")}`,
        "",
        `The dashboard: ${report.dashboard}   (metrics: ${report.dashboard}metrics)`,
        "",
      ].join("\n"),
    );
  }
  const interrupt = interrupted();
  while (!interrupt.now()) await interrupt.within(60_000);
}

/** What the story could not do is told like every other failure; a bug keeps its stack. */
function asFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Failure || !error.message.startsWith("Cannot ")) {
    return error;
  }
  return new Failure(error.message.slice("Cannot ".length), { exitCode: EXIT.failed satisfies ExitCode });
}
