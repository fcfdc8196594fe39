/** What the target of a group needs from the rest of its node: the only way it touches anything. */
import type { Ref } from "../../runtime/mod.ts";
import type { FailoverMessage } from "../failover/messages.ts";
import type { IntentLogMessage } from "../intent_log/messages.ts";

export interface TargetEnvironment {
  readonly node: string;
  readonly group: string;
  readonly intentLog: Ref<IntentLogMessage>;
  readonly failover: Ref<FailoverMessage>;
  event(kind: string, fields: Readonly<Record<string, unknown>>): void;
}
