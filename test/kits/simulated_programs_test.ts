/** The simulated programs pass the suite of the real ones. */
import type { SimulatedProgram } from "../../kits/simulated_programs.ts";
import { SimulatedPrograms } from "../../kits/simulated_programs.ts";
import { SimulatedClock } from "../../runtime/simulated/clock.ts";
import { programRunnerSuite } from "../conformance/program_runner_suite.ts";

const programs: Readonly<Record<string, SimulatedProgram>> = {
  echo: ({ args = [], stdin = "", environment = {} }) => ({
    code: 7,
    stdout: [...args, stdin, environment["GIVEN"]].join("\n"),
  }),
  talker: () => ({ stdout: `begin\n${"x".repeat(200_000)}\nend\n`, afterMs: 20 }),
  sleeper: () => ({ stderr: "working", afterMs: Infinity }),
  crasher: () => ({ signal: "SIGSEGV" }),
};

programRunnerSuite("simulated programs", () => {
  const clock = new SimulatedClock();
  return {
    runner: new SimulatedPrograms(clock, programs),
    echo: "echo",
    talker: "talker",
    sleeper: "sleeper",
    crasher: "crasher",
    absent: "absent",
    ended(outcome) {
      clock.fireNext(1_000_000);
      return outcome;
    },
    close() {},
  };
});
