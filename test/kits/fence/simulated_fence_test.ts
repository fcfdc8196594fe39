/** The simulated switch passes the suite of the real agents. */
import { SimulatedFence } from "../../../kits/fence/simulated_fence.ts";
import { SimulatedClock } from "../../../runtime/simulated/clock.ts";
import { fenceSuite } from "../../conformance/fence_suite.ts";
import { settled } from "../virtual_time.ts";

fenceSuite("simulated fence", async () => {
  const clock = new SimulatedClock();
  let power = "on";
  const device = new SimulatedFence({ name: "switch", clock, onPower: (next) => power = next });
  const findings = [{ parameter: "plug", message: "is wrong", remedy: "another" }];
  return {
    device,
    misconfigured: new SimulatedFence({ name: "switch", clock, findings }),
    hasPower: () => power === "on",
    hang: () => device.fault = "hangs",
    ended: (answer) => settled(clock, answer),
    close: () => Promise.resolve(),
  };
});
