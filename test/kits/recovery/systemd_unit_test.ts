/** Units over a simulated systemctl: the suite, and the states that a unit can be in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemdUnit } from "../../../kits/recovery/systemd_unit.ts";
import { SimulatedPrograms } from "../../../kits/simulated_programs.ts";
import { SimulatedClock } from "../../../runtime/simulated/clock.ts";
import { recoveryKitSuite } from "../../conformance/recovery_kit_suite.ts";
import { settled } from "../virtual_time.ts";

function world() {
  const clock = new SimulatedClock();
  const unit = { active: "inactive", load: "loaded", file: "disabled", hangs: false, afterStop: "inactive" };
  const programs = new SimulatedPrograms(clock, {
    systemctl: ({ args = [] }) => {
      if (unit.hangs) return { afterMs: Infinity };
      const [verb] = args.filter((each) => !each.startsWith("-"));
      const name = args.at(-1);
      if (verb === "start") unit.active = "active";
      if (verb === "stop") unit.active = unit.active === "inactive" ? "inactive" : unit.afterStop;
      if (verb !== "show") return {};
      const load = name === "db.service" ? unit.load : "not-found";
      return {
        stdout:
          `LoadState=${load}\nActiveState=${unit.active}\nSubState=x\nResult=success\nUnitFileState=${unit.file}\n`,
      };
    },
  });
  return { clock, unit, programs, kit: new SystemdUnit({ unit: "db", programs }) };
}

recoveryKitSuite("systemd unit over a simulated systemctl", async () => {
  const { clock, unit, programs, kit } = world();
  return {
    kit,
    misconfigured: new SystemdUnit({ unit: "bd", programs }),
    crash: () => void (unit.active = "failed"),
    runs: () => unit.active === "active",
    hang: () => void (unit.hangs = true),
    ended: (answer) => settled(clock, answer),
    close: async () => undefined,
  };
}, { hangs: true });

const STATES = [
  ["active", "running"],
  ["reloading", "running"],
  ["inactive", "stopped"],
  ["failed", "failed"],
  ["activating", "failed"],
  ["deactivating", "failed"],
  ["maintenance", "failed"],
] as const;

for (const [active, state] of STATES) {
  test(`systemd unit: ${active} is ${state}`, async () => {
    const { clock, unit, kit } = world();
    unit.active = active;
    assert.equal((await settled(clock, kit.monitor())).state, state);
  });
}

test("systemd unit: one that ended failed while it was stopped has stopped", async () => {
  const { clock, unit, kit } = world();
  unit.active = "active";
  unit.afterStop = "failed";
  assert.equal((await settled(clock, kit.stop())).state, "stopped");
});

test("systemd unit: one that still runs after a stop that said nothing has not stopped", async () => {
  const { clock, unit, kit } = world();
  unit.active = "active";
  unit.afterStop = "active";
  assert.equal((await settled(clock, kit.stop())).state, "failed");
});

test("systemd unit: one that starts by itself at boot, is masked or is no name is refused", async () => {
  const { clock, unit, kit, programs } = world();
  unit.file = "enabled";
  assert.match((await settled(clock, kit.validate()))[0]?.remedy ?? "", /systemctl disable db\.service/);
  unit.file = "disabled";
  unit.load = "masked";
  assert.match((await settled(clock, kit.validate()))[0]?.message ?? "", /masked/);
  const hostile = new SystemdUnit({ unit: "--root=x", programs });
  assert.equal((await settled(clock, hostile.validate())).length, 1);
});
