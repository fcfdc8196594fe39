/** The simulated store passes the suite of the real ones. */
import { MemoryWitnessStore } from "../../../kits/witness/memory.ts";
import { SimulatedClock } from "../../../runtime/simulated/clock.ts";
import { witnessSuite } from "../../conformance/witness_suite.ts";
import { settled } from "../virtual_time.ts";

witnessSuite("simulated witness", async () => {
  const clock = new SimulatedClock();
  const store = new MemoryWitnessStore({ clock, latencyMs: 5 });
  return {
    open: () => store.open(),
    wipe: async () => store.wipe(),
    hang: () => store.hanging = true,
    resume: () => store.resume(),
    loseAnswer: () => store.answersToLose = 1,
    restart: async (how) => store.restart({ kept: how === "kept" }),
    ended: (answer) => settled(clock, answer),
    close: async () => undefined,
  };
}, { can: ["hang", "lose_answer", "restart_kept", "restart_not_kept"] });
