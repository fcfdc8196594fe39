/**
 * Real programs by real kits: OCF agents of Debian (Dummy, Filesystem, IPaddr2 in a network namespace, redis promotable),
 * commands, and the helper programs of Pacemaker answered by ours.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import process from "node:process";
import { test } from "node:test";
import type { ProgramRunner } from "../../kits/program.ts";
import { CommandKit } from "../../kits/recovery/command.ts";
import { OcfAgent } from "../../kits/recovery/ocf_agent.ts";
import { PacemakerShim } from "../../kits/recovery/pacemaker_shim.ts";
import { hostPrograms } from "../../kits/run_program.ts";
import { type KitWorld, recoveryKitSuite } from "../conformance/recovery_kit_suite.ts";
import { missing } from "./support/nbd_server_process.ts";
import { Scratch } from "./support/scratch.ts";
import { freePort } from "./support/server_process.ts";

const programs = hostPrograms();
const notRoot = process.getuid?.() === 0 ? false : "not root";
const noAgents = notRoot ||
  (fs.existsSync("/usr/lib/ocf/resource.d/heartbeat/Dummy") ? false : "resource-agents not installed");

/** A filter: whatever is run gets stuck. */
const stuck: ProgramRunner = {
  run: (request) => programs.run({ ...request, program: "sleep", args: ["60"] }),
};

/** A runner that can be replaced while a kit holds it. */
class Switchable implements ProgramRunner {
  runner = programs;
  run(request: Parameters<ProgramRunner["run"]>[0]) {
    return this.runner.run(request);
  }
}

recoveryKitSuite("command kit", async (): Promise<KitWorld> => {
  const scratch = new Scratch("kit");
  const script = scratch.script(
    "service",
    `cd ${scratch.folder}
alive() { [ -s pid ] && grep -q '^State:.[^Z]' "/proc/$(cat pid)/status" 2>/dev/null; }
case $1 in
  start) alive || { sleep 300 & echo $! > pid; } ;;
  stop) if alive; then kill -9 "$(cat pid)"; fi; rm -f pid ;;
  monitor) alive || exit 3 ;;
esac`,
  );
  const runner = new Switchable();
  const kit = (program: string) =>
    new CommandKit({
      name: "service",
      start: [program, "start"],
      stop: [program, "stop"],
      monitor: [program, "monitor"],
      programs: runner,
    });
  const crash = () => {
    const pid = Number(scratch.read("pid"));
    if (pid > 1) process.kill(pid, "SIGKILL");
  };
  return {
    kit: kit(script),
    misconfigured: kit(scratch.path("servise")),
    crash,
    runs: async () => spawnSync(script, ["monitor"]).status === 0,
    hang: () => void (runner.runner = stuck),
    ended: (answer) => answer,
    close: async () => {
      spawnSync(script, ["stop"]);
      scratch.remove();
    },
  };
}, { hangs: true });

function ocf(
  type: string,
  parameters: Readonly<Record<string, string>>,
  options: { readonly scratch: Scratch; readonly runner?: ProgramRunner; readonly shim?: PacemakerShim },
): OcfAgent {
  return new OcfAgent({
    provider: "heartbeat",
    type,
    instance: `test-${type}`,
    parameters,
    programs: options.runner ?? programs,
    node: "alpha",
    rememberFolder: options.scratch.path("remember"),
    ...(options.shim === undefined ? {} : { shimFolder: options.shim.folder, promotable: { copies: 2 } }),
  });
}

recoveryKitSuite("ocf:heartbeat:Dummy", async (): Promise<KitWorld> => {
  const scratch = new Scratch("dummy");
  const state = scratch.path("state");
  const runner = new Switchable();
  return {
    kit: ocf("Dummy", { state }, { scratch, runner }),
    misconfigured: ocf("Dummy", { sate: state }, { scratch }),
    crash: () => fs.rmSync(state),
    runs: () => fs.existsSync(state),
    hang: () => void (runner.runner = stuck),
    ended: (answer) => answer,
    close: async () => scratch.remove(),
  };
}, { skip: noAgents, hangs: true });

recoveryKitSuite("ocf:heartbeat:Filesystem", async (): Promise<KitWorld> => {
  const scratch = new Scratch("filesystem");
  const directory = scratch.path("mounted");
  fs.mkdirSync(directory);
  const mounted = () => spawnSync("mountpoint", ["-q", directory]).status === 0;
  const kit = (fstype: Readonly<Record<string, string>>) =>
    ocf("Filesystem", { device: "tmpfs", directory, ...fstype }, { scratch });
  return {
    kit: kit({ fstype: "tmpfs" }),
    misconfigured: kit({ fs_type: "tmpfs" }),
    crash: () => void execFileSync("umount", [directory]),
    runs: mounted,
    ended: (answer) => answer,
    close: async () => {
      if (mounted()) execFileSync("umount", [directory]);
      scratch.remove();
    },
  };
}, { skip: noAgents || missing("mountpoint", "umount", "modprobe") });

function noNamespace(): string | false {
  if (spawnSync("ip", ["netns", "add", `holdfast-probe-${process.pid}`]).status !== 0) {
    return "no network namespaces";
  }
  return spawnSync("ip", ["netns", "delete", `holdfast-probe-${process.pid}`]).status === 0
    ? false
    : "no namespaces";
}

recoveryKitSuite("ocf:heartbeat:IPaddr2 in a namespace of its own", async (): Promise<KitWorld> => {
  const scratch = new Scratch("ipaddr");
  const namespace = `holdfast-${process.pid}`;
  const ip = (...args: readonly string[]) => execFileSync("ip", args, { encoding: "utf8" });
  ip("netns", "add", namespace);
  ip("-n", namespace, "link", "add", "service0", "type", "veth", "peer", "name", "other0");
  ip("-n", namespace, "link", "set", "other0", "up");
  ip("-n", namespace, "address", "add", "10.77.0.1/24", "dev", "service0");
  ip("-n", namespace, "link", "set", "service0", "up");
  ip("-n", namespace, "link", "set", "lo", "up");
  const inside: ProgramRunner = {
    run: (request) =>
      programs.run({
        ...request,
        program: "ip",
        args: ["netns", "exec", namespace, request.program, ...request.args ?? []],
      }),
  };
  const kit = (parameters: Readonly<Record<string, string>>) =>
    ocf("IPaddr2", { nic: "service0", cidr_netmask: "24", ...parameters }, { scratch, runner: inside });
  return {
    kit: kit({ ip: "10.77.0.9" }),
    misconfigured: kit({ ipp: "10.77.0.9" }),
    crash: () => void ip("-n", namespace, "address", "delete", "10.77.0.9/24", "dev", "service0"),
    runs: () => ip("-n", namespace, "address", "show", "dev", "service0").includes("10.77.0.9/"),
    ended: (answer) => answer,
    close: async () => {
      ip("netns", "delete", namespace);
      scratch.remove();
    },
  };
}, { skip: noAgents || missing("ip", "arping") || noNamespace() });

test(
  "ocf: an agent that does not exist is refused with what was probably meant",
  { skip: noAgents },
  async () => {
    const scratch = new Scratch("ocf");
    const [finding] = await ocf("Filesytem", {}, { scratch }).validate();
    assert.match(
      `${finding?.message} ${finding?.remedy}`,
      /there is no agent heartbeat:Filesytem.* Filesystem, if that was meant/,
    );
    scratch.remove();
  },
);

test("ocf: times are the agent's own advice, reasons are its own words", {
  skip: noAgents || missing("modprobe"),
}, async () => {
  const scratch = new Scratch("ocf");
  const kit = ocf("Filesystem", { device: "/dev/nowhere", directory: "/nowhere", fstype: "ext4" }, {
    scratch,
  });
  assert.equal(kit.times("start").timeoutMs, 20_000, "before it was asked");
  await kit.validate();
  assert.deepEqual(kit.times("start"), { timeoutMs: 60_000, intervalMs: null });
  assert.deepEqual(kit.times("monitor"), { timeoutMs: 40_000, intervalMs: 20_000 });
  const started = await kit.start();
  assert.equal(started.state, "failed");
  assert.match(started.reason ?? "", /\/dev\/nowhere/);
  scratch.remove();
});

test("ocf: redis is promoted and demoted, and tells its score through our helper programs", {
  skip: noAgents || missing("redis-server", "redis-cli", "bash"),
}, async () => {
  const scratch = new Scratch("redis");
  fs.chmodSync(scratch.folder, 0o755);
  const shim = await PacemakerShim.open(scratch.path("shim"), { node: "alpha" });
  const port = await freePort();
  const rundir = scratch.path("run");
  fs.mkdirSync(rundir);
  fs.chmodSync(rundir, 0o777);
  const config = scratch.write("redis.conf", `bind 127.0.0.1\nport ${port}\nsave ""\ndir ${rundir}\n`, 0o644);
  const kit = ocf("redis", { config, rundir, port: String(port) }, { scratch, shim });
  try {
    assert.deepEqual(await kit.validate(), []);
    assert.equal((await kit.monitor()).state, "stopped");
    const started = await kit.start();
    assert.equal(started.state, "running", JSON.stringify(started));
    assert.equal((await kit.monitor()).state, "running");
    const score = await shim.promotionScore("test-redis", { node: "alpha" });
    assert.ok(score !== null && score > 0, JSON.stringify(await shim.readNotes()));
    const promoted = await kit.promote();
    assert.equal(promoted.state, "promoted", JSON.stringify(promoted));
    assert.equal((await kit.monitor()).state, "promoted");
    const notes = await shim.readNotes();
    assert.ok(
      notes.some((note) => note.node === "cluster" && note.name === "test-redis_REPL_INFO"),
      JSON.stringify(notes),
    );
    assert.equal((await kit.demote()).state, "running");
    assert.equal((await kit.stop()).state, "stopped");
    assert.equal((await kit.monitor()).state, "stopped");
  } finally {
    await kit.stop();
    scratch.remove();
  }
});

test("shim: helper programs note, answer, fall back and refuse like the ones that agents know", {
  skip: missing("sh"),
}, async () => {
  const scratch = new Scratch("shim");
  try {
    const shim = await PacemakerShim.open(scratch.path("shim"), { node: "alpha" });
    const call = async (program: string, ...args: string[]) => {
      const outcome = await programs.run({
        program: `${shim.folder}/${program}`,
        args,
        environment: { OCF_RESOURCE_INSTANCE: "db" },
        timeoutMs: 5_000,
      });
      assert.ok(outcome.kind === "exited");
      return `${outcome.code} ${outcome.stdout.trim()}`.trim();
    };
    const TRANSCRIPT: readonly [string, string][] = [
      ["crm_master -l reboot -v 100", "0"],
      ["crm_master -G -q", "0 100"],
      ["crm_attribute -p --query --quiet", "0 100"],
      ["crm_attribute -l reboot -N beta -n db-status -v HS:sync", "0"],
      ["crm_attribute -l reboot -N beta -n db-status -G -q", "0 HS:sync"],
      ["crm_attribute --node=beta --name=db-status --query", "0 scope=status  name=db-status value=HS:sync"],
      ["crm_attribute -N beta -n db-status -D", "0"],
      ["crm_attribute -N beta -n db-status -G -q", "105"],
      ["crm_attribute -N beta -n db-status -G -q -d none", "0 none"],
      ["crm_attribute --type crm_config --name db_REPL_INFO -s set -v alpha -q", "0"],
      ["crm_attribute --type crm_config --name db_REPL_INFO -s set --query -q", "0 alpha"],
      ["attrd_updater -n wal -v normal", "0"],
      ["attrd_updater -n wal -Q", '0 name="wal" host="alpha" value="normal"'],
      ["attrd_updater -n wal -D", "0"],
      ["crm_attribute -n ../../etc/passwd -v x", "64"],
      ["crm_attribute --frobnicate", "64"],
      ["crm_attribute -n", "64"],
      ["crm_node -n", "0 alpha"],
    ];
    for (const [line, expected] of TRANSCRIPT) {
      const [program = "", ...args] = line.split(" ");
      assert.equal(await call(program, ...args), expected, line);
    }
    assert.equal(await shim.promotionScore("db", { node: "alpha" }), 100);
    await shim.writeClusterView({
      nodes: [{ name: "alpha", online: true }, { name: "beta", online: false }],
      resources: [{ instance: "db", agent: "ocf:heartbeat:pgsql", node: "alpha", role: "Promoted" }],
    });
    assert.equal(await call("crm_node", "-l"), "0 alpha\nbeta");
    // The very patterns with which the agents for PostgreSQL and Redis look.
    const shown = await call("crm_mon", "-1", "--output-as=xml");
    assert.match(shown, /<resource id="db" .* role="(Promoted|Master)"/);
    assert.match(
      shown,
      /resource.*id="db".* role="(Promoted|Master)".* active="true".* orphaned="false".* failed="false"/,
    );
    assert.match(shown, /<node name="alpha" .* online="true"/);
  } finally {
    scratch.remove();
  }
});
