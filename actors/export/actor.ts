/**
 * The export of a group: opens its volumes to clients while the mirror's gate is open, and closes them with it.
 *
 * It stands last in the group's supervisor (`rest_for_one`): whatever falls before it takes it along, and its start
 * is the moment when sessions of an earlier life are certainly closed. Then it reports to the mirror, which says
 * whether the gate is open; it never assumes so by itself.
 */
import type { ActorContext, ActorSpec, Behavior } from "../../runtime/mod.ts";
import { assertNever } from "../../runtime/invariant.ts";
import type { ExportEnvironment } from "./environment.ts";
import type { ExportMessage } from "./messages.ts";

export function exportActor(environment: ExportEnvironment): ActorSpec<ExportMessage> {
  return { name: "export", start: (context) => new Export(environment, context) };
}

class Export implements Behavior<ExportMessage> {
  readonly #environment: ExportEnvironment;
  readonly #context: ActorContext<ExportMessage>;
  #state: "closed" | "open" = "closed";
  #cause = "the gate has not been opened yet";

  constructor(environment: ExportEnvironment, context: ActorContext<ExportMessage>) {
    this.#environment = environment;
    this.#context = context;
    environment.table.close(environment.group, "the export was restarted");
    environment.exportStarted();
  }

  receive(message: ExportMessage): void {
    const { table, meter, group } = this.#environment;
    switch (message.kind) {
      case "gate_opened":
        this.#state = "open";
        table.open(group, { ...message.gate, port: meter.timed(message.gate.port) });
        this.#context.log.info("export_opened", {
          group,
          volumes: message.gate.volumes.map(({ name }) => name),
        });
        return;
      case "gate_closed":
        return this.#close(message.cause);
      case "writable":
        return table.writable(group);
      default:
        assertNever(message);
    }
  }

  stopping(): void {
    this.#close("the export is stopping");
  }

  inspect(): unknown {
    const { table, group } = this.#environment;
    return {
      state: this.#state,
      cause: this.#state === "open" ? null : this.#cause,
      sessions: table.sessionsOf(group).map(({ client, exportName, requestsInFlight }) => ({
        client,
        exportName,
        requestsInFlight,
      })),
    };
  }

  #close(cause: string): void {
    const { table, group } = this.#environment;
    if (this.#state === "open") this.#context.log.info("export_closed", { group, cause });
    this.#state = "closed";
    this.#cause = cause;
    table.close(group, cause);
  }
}
