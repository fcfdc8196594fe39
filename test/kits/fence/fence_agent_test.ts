/** The driver of fence agents over simulated programs: what is said to an agent, and how its answers are read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FenceAgent } from "../../../kits/fence/fence_agent.ts";
import { type SimulatedEnd, SimulatedPrograms } from "../../../kits/simulated_programs.ts";
import { SimulatedClock } from "../../../runtime/simulated/clock.ts";
import { fenceSuite } from "../../conformance/fence_suite.ts";
import { settled } from "../virtual_time.ts";

const METADATA = `<?xml version="1.0"?>
<resource-agent name="fence_test"><shortdesc>x</shortdesc><parameters>
 <parameter name="action" required="1"><content type="string" default="reboot"/></parameter>
 <parameter name="ip" required="1" obsoletes="ipaddr"><content type="string"/></parameter>
 <parameter name="ipaddr" required="0" deprecated="1"><content type="string"/></parameter>
 <parameter name="ipport"><content type="integer"/></parameter>
 <parameter name="lanplus"><content type="boolean"/></parameter>
 <parameter name="method"><content type="select"><option value="onoff"/><option value="cycle"/></content></parameter>
 <parameter name="password"><content type="string"/></parameter>
</parameters><actions><action name="on"/><action name="off"/><action name="status"/></actions></resource-agent>`;

function world(answer?: (action: string) => SimulatedEnd) {
  const clock = new SimulatedClock();
  let power = "on";
  let hangs = false;
  const programs = new SimulatedPrograms(clock, {
    fence_test: ({ stdin = "" }) => {
      const action = /^action=(.*)$/m.exec(stdin)?.[1] ?? "reboot";
      if (hangs) return { afterMs: Infinity };
      if (action === "metadata") return { stdout: METADATA };
      if (answer !== undefined) return answer(action);
      if (action === "status") return { code: power === "on" ? 0 : 2 };
      power = action;
      return {};
    },
  });
  const device = (parameters: Readonly<Record<string, string>>) =>
    new FenceAgent({ agent: "fence_test", parameters, programs });
  return { clock, programs, device, hang: () => void (hangs = true), hasPower: () => power === "on" };
}

fenceSuite("fence agent over simulated programs", async () => {
  const { clock, device, hang, hasPower } = world();
  return {
    device: device({ ip: "10.0.0.1" }),
    misconfigured: device({ ip: "10.0.0.1", lanpluss: "1" }),
    hasPower,
    hang,
    ended: (answer) => settled(clock, answer),
    close: () => Promise.resolve(),
  };
});

test("fence agent: the action is always said, last, and parameters as key=value", async () => {
  const { clock, programs, device } = world();
  await settled(clock, device({ ip: "10.0.0.1", method: "onoff" }).status({ timeoutMs: 100 }));
  assert.equal(programs.requests.at(-1)?.stdin, "ip=10.0.0.1\nmethod=onoff\naction=status\n");
  assert.deepEqual(programs.requests.at(-1)?.args ?? [], []);
});

const STATUS_TABLE: readonly [SimulatedEnd, string][] = [
  [{ code: 0 }, "on"],
  [{ code: 2 }, "off"],
  [{ code: 1 }, "unknown"],
  [{ code: 3 }, "unknown"],
  [{ code: 127 }, "unknown"],
  [{ signal: "SIGKILL" }, "unknown"],
  [{ afterMs: Infinity }, "unknown"],
  [{ code: 1, stdout: "Status: OFF" }, "unknown"],
];

for (const [end, kind] of STATUS_TABLE) {
  test(`fence agent: ${JSON.stringify(end)} as the answer to status is ${kind}`, async () => {
    const { clock, device } = world(() => end);
    assert.equal((await settled(clock, device({ ip: "10.0.0.1" }).status({ timeoutMs: 100 }))).kind, kind);
  });
}

test("fence agent: an order that ends with 2 was not taken", async () => {
  const { clock, device } = world(() => ({ code: 2, stderr: "old words\nUnable to connect\n" }));
  assert.deepEqual(await settled(clock, device({ ip: "10.0.0.1" }).order("off", { timeoutMs: 100 })), {
    ok: false,
    cause: "fence_test ended with code 2: Unable to connect",
  });
});

const FINDINGS: readonly [Readonly<Record<string, string>>, string, RegExp][] = [
  [{ ip: "h", lanpluss: "1" }, "lanpluss", /is no parameter of fence_test lanplus, if that was meant/],
  [{ ip: "h", ipport: "many" }, "ipport", /"many" is not a whole number/],
  [{ ip: "h", lanplus: "maybe" }, "lanplus", /neither true nor false/],
  [{ ip: "h", method: "onof" }, "method", /none of its values onoff, if that was meant/],
  [{ ip: "h", action: "off" }, "action", /set by Holdfast itself/],
  [{ ip: "h", password: "x" }, "password", /set by Holdfast itself/],
  [{ ip: "h\naction=on" }, "ip", /line break/],
  [{}, "ip", /is required/],
];

for (const [parameters, parameter, words] of FINDINGS) {
  test(`fence agent: the configuration ${JSON.stringify(parameters)} is refused for ${parameter}`, async () => {
    const { clock, device } = world();
    const [finding, ...others] = await settled(clock, device(parameters).check({ timeoutMs: 100 }));
    assert.equal(others.length, 0);
    assert.equal(finding?.parameter, parameter);
    assert.match(`${finding?.message} ${finding?.remedy}`, words);
  });
}

test("fence agent: an older name satisfies what requires the newer one", async () => {
  const { clock, device } = world();
  assert.deepEqual(await settled(clock, device({ ipaddr: "h" }).check({ timeoutMs: 100 })), []);
});

test("fence agent: a value with a line break is never said to an agent", async () => {
  const { clock, programs, device } = world();
  const outcome = await settled(clock, device({ ip: "h\naction=on" }).order("off", { timeoutMs: 100 }));
  assert.equal(outcome.ok, false);
  assert.equal(programs.requests.length, 0);
});

test("fence agent: a password that cannot be read is doubt and a finding, and nothing is asked", async () => {
  const { clock, programs } = world();
  const passwordFile = `${import.meta.dirname}/no_such_file`;
  const device = new FenceAgent({ agent: "fence_test", parameters: { ip: "h" }, passwordFile, programs });
  // File reading is real: nothing here waits for the virtual clock.
  assert.equal((await device.status({ timeoutMs: 100 })).kind, "unknown");
  assert.equal(programs.requests.length, 0);
  const checking = device.check({ timeoutMs: 100 });
  clock.fireNext(1_000);
  assert.equal((await checking)[0]?.parameter, "password_file");
});

test("fence agent: a name that is a path, or no fence agent at all, is refused before anything runs", async () => {
  const { programs } = world();
  for (const agent of ["/usr/sbin/fence_test", "rm", "fence_../x"]) {
    const findings = await new FenceAgent({ agent, parameters: {}, programs }).check({ timeoutMs: 100 });
    assert.equal(findings[0]?.parameter, "agent");
  }
  assert.equal(programs.requests.length, 0);
});
