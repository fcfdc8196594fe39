/** What the admin actor of a node is told and asked: by its doors, and by the admin actors of other nodes. */
import type { ReplyTo } from "../../runtime/mod.ts";
import type { AdminAnswer, AdminCommand } from "../../protocol/admin_messages.ts";
import type { AdminQuestion, QuestionAnswer } from "../../protocol/admin_questions.ts";

export type AdminMessage =
  | { readonly kind: "listening_requested"; readonly reply: ReplyTo<DoorAnswer> }
  /** A command that is for another node's groups is passed on to the source, once. */
  | {
    readonly kind: "command_requested";
    readonly command: AdminCommand;
    readonly deadlineMs: number;
    readonly reply: ReplyTo<AdminAnswer>;
  }
  /** About another node: put to it over the control connection. */
  | {
    readonly kind: "question_requested";
    readonly to: string;
    readonly question: AdminQuestion;
    readonly deadlineMs: number;
    readonly reply: ReplyTo<QuestionAnswer>;
  }
  /** Mail of the admin actor of another node, of unknown shape. */
  | { readonly kind: "remote"; readonly from: string; readonly body: unknown }
  /** Its own timers and outcomes. */
  | { readonly kind: "door_opened"; readonly door: OpenDoor }
  | { readonly kind: "door_not_opened"; readonly detail: string }
  | { readonly kind: "retry_due" }
  | { readonly kind: "answer_overdue"; readonly id: number }
  | { readonly kind: "question_overdue"; readonly id: number }
  | { readonly kind: "traces_due" }
  | { readonly kind: "question_answered"; readonly to: string; readonly id: number; readonly answer: string }
  | {
    readonly kind: "local_answered";
    readonly answer: AdminAnswer;
    readonly respond: (answer: AdminAnswer) => void;
  };

/** The addresses in force, or "Cannot listen on …: … (try: …)". */
export type DoorAnswer =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly detail: string };

export interface OpenDoor {
  /** `http://127.0.0.1:7481`, `unix:/…/admin.sock`. */
  readonly addresses: readonly string[];
  /** Resolves when the addresses are free again. */
  close(): Promise<void>;
}
