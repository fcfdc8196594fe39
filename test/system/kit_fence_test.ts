/**
 * Real fence agents: `fence_dummy` on a file, and `fence_ipmilan` against a simulated management board whose power
 * switch kills and starts a real process.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { FenceAgent } from "../../kits/fence/fence_agent.ts";
import type { FenceDevice } from "../../kits/fence/fence_device.ts";
import { DEFAULT_FENCE_POLICY, fenceByLevels } from "../../kits/fence/fence_levels.ts";
import type { ProgramRunner } from "../../kits/program.ts";
import { hostPrograms } from "../../kits/run_program.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";
import { fenceSuite, type FenceWorld } from "../conformance/fence_suite.ts";
import { missing } from "./support/nbd_server_process.ts";
import { Scratch } from "./support/scratch.ts";
import { freeUdpPort, ServerProcess } from "./support/server_process.ts";

const programs = hostPrograms();
/** A filter around the host's programs: each gets stuck. */
const stuck: ProgramRunner = {
  run: (request) => programs.run({ ...request, program: "sleep", args: ["60"] }),
};

fenceSuite("fence_dummy", async (): Promise<FenceWorld> => {
  const scratch = new Scratch("fence");
  const statusFile = scratch.write("status", "on");
  const agent = (parameters: Readonly<Record<string, string>>) =>
    new FenceAgent({ agent: "fence_dummy", parameters, programs });
  let device: FenceDevice = agent({ type: "file", status_file: statusFile });
  return {
    get device() {
      return device;
    },
    misconfigured: agent({ type: "file", statusfile: statusFile }),
    hasPower: () => scratch.read("status").trim() === "on",
    hang: () => device = new FenceAgent({ agent: "fence_dummy", parameters: {}, programs: stuck }),
    ended: (answer) => answer,
    close: async () => scratch.remove(),
  };
}, { skip: missing("fence_dummy") });

/** What the management board does at its power switch. `$1` is the controller's address. */
const POWER_SWITCH = `cd "$(dirname "$0")"
alive() { [ -s pid ] && [ -d "/proc/$(cat pid)" ] && ! grep -q '^State:.Z' "/proc/$(cat pid)/status"; }
case "$2 $3" in
  "get power") if alive; then echo power:1; else echo power:0; fi ;;
  "set power")
    if [ "$4" = 0 ]; then if alive; then kill -9 "$(cat pid)"; fi; rm -f pid
    elif ! alive; then setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $! > pid; fi ;;
esac
exit 0`;

class Board implements FenceWorld {
  readonly #scratch: Scratch;
  readonly #server: ServerProcess;
  readonly device: FenceAgent;
  readonly misconfigured: FenceAgent;

  private constructor(scratch: Scratch, server: ServerProcess, parameters: Readonly<Record<string, string>>) {
    this.#scratch = scratch;
    this.#server = server;
    const passwordFile = scratch.path("password");
    this.device = new FenceAgent({ agent: "fence_ipmilan", parameters, passwordFile, programs });
    const wrong = { ...parameters, lanplus: "perhaps", ip_port: "1" };
    this.misconfigured = new FenceAgent({
      agent: "fence_ipmilan",
      parameters: wrong,
      passwordFile,
      programs,
    });
  }

  /** With its power on: the process runs. */
  static async start(): Promise<Board> {
    const scratch = new Scratch("ipmi");
    const port = await freeUdpPort();
    const power = scratch.script("power", POWER_SWITCH);
    scratch.write("password", "secret\n");
    fs.mkdirSync(scratch.path("state"));
    const auths = ["callback", "user", "operator", "admin"].map((each) =>
      `allowed_auths_${each} none md2 md5 straight`
    );
    scratch.write(
      "lan.conf",
      [
        'name "node"',
        "set_working_mc 0x20",
        "startlan 1",
        `addr 127.0.0.1 ${port}`,
        "priv_limit admin",
        ...auths,
        "guid a123456789abcdefa123456789abcdef",
        "endlan",
        `chassis_control "${power} 0x20"`,
        'user 1 true "" "unused" user 10 none md2 md5 straight',
        'user 2 true "admin" "secret" admin 10 none md2 md5 straight',
        "",
      ].join("\n"),
    );
    scratch.write(
      "board.emu",
      "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nsel_enable 0x20 1000 0x0a\nmc_enable 0x20\n",
    );
    execFileSync(power, ["0x20", "set", "power", "1"], { stdio: "ignore" });
    const parameters = {
      ip: "127.0.0.1",
      ipport: String(port),
      username: "admin",
      lanplus: "1",
      cipher: "3",
    };
    const args = [
      "-c",
      scratch.path("lan.conf"),
      "-f",
      scratch.path("board.emu"),
      "-s",
      scratch.path("state"),
    ];
    const probe = new FenceAgent({
      agent: "fence_ipmilan",
      parameters,
      passwordFile: scratch.path("password"),
      programs,
    });
    const server = await ServerProcess.start(
      "ipmi_sim",
      [...args, "-n"],
      async () => (await probe.status({ timeoutMs: 10_000 })).kind === "on",
    );
    return new Board(scratch, server, parameters);
  }

  hasPower(): boolean {
    const pid = Number(this.#scratch.read("pid"));
    if (!(pid > 1) || !fs.existsSync(`/proc/${pid}/status`)) return false;
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  }

  hang(): void {
    this.#server.signal("SIGSTOP");
  }

  ended<T>(answer: Promise<T>): Promise<T> {
    return answer;
  }

  async close(): Promise<void> {
    await this.#server.stop();
    if (this.hasPower()) process.kill(Number(this.#scratch.read("pid")), "SIGKILL");
    this.#scratch.remove();
  }
}

const noBoard = missing("fence_ipmilan", "ipmi_sim", "ipmitool");

fenceSuite("fence_ipmilan", () => Board.start(), { skip: noBoard });

test(
  "fence_ipmilan: fencing by levels kills the process behind the board, proves it, and can start it again",
  {
    skip: noBoard,
  },
  async () => {
    const board = await Board.start();
    try {
      const broken = new FenceAgent({ agent: "fence_of_nobody", parameters: {}, programs });
      const common = { clock: systemClock(), random: systemRandom() };
      const policy = { ...DEFAULT_FENCE_POLICY, attempts: 1, timeoutMs: 15_000, verifyForMs: 1_000 };
      const only = await fenceByLevels({ action: "off", levels: [[broken]], policy, ...common });
      assert.equal(only.kind, "unconfirmed");
      assert.equal(board.hasPower(), true);
      const levels = [[broken], [board.device]];
      const off = await fenceByLevels({ action: "off", levels, policy, ...common });
      assert.ok(off.kind === "confirmed", JSON.stringify(off));
      assert.equal(off.level, 2);
      assert.equal(board.hasPower(), false);
      assert.ok(!JSON.stringify(off).includes("secret"), "the history holds no password");
      const on = await fenceByLevels({ action: "on", levels: [[board.device]], policy, ...common });
      assert.equal(on.kind, "confirmed");
      assert.equal(board.hasPower(), true);
    } finally {
      await board.close();
    }
  },
);
