/** `holdfast metrics`: a node's Prometheus text, for a look without a Prometheus. */
import { ADMIN_PATHS } from "../../protocol/admin_messages.ts";
import { firstText } from "../ask_cluster.ts";
import type { Command } from "../command.ts";
import { EXIT } from "../failure.ts";

export const metrics: Command = {
  words: "metrics",
  summary: "a node's metrics as Prometheus text (without --node the first that answers)",
  examples: ["metrics --node alpha"],
  run: async ({ shared, terminal }) => {
    terminal.out(await firstText(shared, ADMIN_PATHS.metrics, "show the metrics"));
    return EXIT.done;
  },
};
