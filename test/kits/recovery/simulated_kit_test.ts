/** The simulated kit passes the suite of the real ones. */
import { SimulatedKit } from "../../../kits/recovery/simulated_kit.ts";
import { SimulatedClock } from "../../../runtime/simulated/clock.ts";
import { recoveryKitSuite } from "../../conformance/recovery_kit_suite.ts";
import { settled } from "../virtual_time.ts";

recoveryKitSuite("simulated kit", async () => {
  const clock = new SimulatedClock();
  const kit = new SimulatedKit({ name: "simulated", clock });
  const findings = [{ parameter: "x", message: "is wrong", remedy: "another" }];
  return {
    kit,
    misconfigured: new SimulatedKit({ name: "wrong", clock, findings }),
    crash: () => void (kit.program = "stopped"),
    runs: () => kit.program !== "stopped",
    hang: () => void (kit.hanging = true),
    ended: (answer) => settled(clock, answer),
    close: async () => undefined,
  };
}, { hangs: true });
