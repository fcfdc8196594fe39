/**
 * How the actors of a node find each other: by registered name, so that a ref is never older than its actor.
 *
 * A tell to a name that nobody has is false, like a tell to the dead; whoever needs more asks with a deadline.
 */
import type { ActorSpec, Ref, Registry } from "../../runtime/mod.ts";
import type { AdminMessage } from "../admin/messages.ts";
import type { EventsMessage } from "../events/messages.ts";
import type { ExportMessage, NbdListenerMessage } from "../export/messages.ts";
import type { FailoverMessage } from "../failover/messages.ts";
import type { IntentLogMessage } from "../intent_log/messages.ts";
import type { MirrorMessage } from "../mirror/messages.ts";
import type { PeerMessage } from "../peer/messages.ts";
import type { TargetMessage } from "../target/messages.ts";
import type { SupervisorMessage } from "../../runtime/mod.ts";
import type { ListenerMessage } from "./listener.ts";
import type { RolesMessage } from "./roles.ts";

/** The actor, and it has this name from its start on. */
export function named<M>(name: string, spec: ActorSpec<M>): ActorSpec<M> {
  return {
    ...spec,
    start(context) {
      context.system.registry.register(name, context.self);
      return spec.start(context);
    },
  };
}

export class ActorNames {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  events(): Ref<EventsMessage> | undefined {
    return this.#registry.lookup("events");
  }
  failover(): Ref<FailoverMessage> | undefined {
    return this.#registry.lookup("failover");
  }
  roles(): Ref<RolesMessage> | undefined {
    return this.#registry.lookup("roles");
  }
  admin(): Ref<AdminMessage> | undefined {
    return this.#registry.lookup("admin");
  }
  listener(): Ref<ListenerMessage> | undefined {
    return this.#registry.lookup("listener");
  }
  nbdListener(): Ref<NbdListenerMessage> | undefined {
    return this.#registry.lookup("nbd_listener");
  }
  peer(node: string): Ref<PeerMessage> | undefined {
    return this.#registry.lookup(`peer:${node}`);
  }
  group(group: string): Ref<SupervisorMessage> | undefined {
    return this.#registry.lookup(`group:${group}`);
  }
  intentLog(group: string): Ref<IntentLogMessage> | undefined {
    return this.#registry.lookup(`intent_log:${group}`);
  }
  target(group: string): Ref<TargetMessage> | undefined {
    return this.#registry.lookup(`target:${group}`);
  }
  mirror(group: string): Ref<MirrorMessage> | undefined {
    return this.#registry.lookup(`mirror:${group}`);
  }
  export(group: string): Ref<ExportMessage> | undefined {
    return this.#registry.lookup(`export:${group}`);
  }
}
