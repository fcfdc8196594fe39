/** The supervision tree as text. Pure. */
import type { ActorLine, ActorsReport } from "../protocol/admin_messages.ts";
import { table } from "./table.ts";

/** As a tree, or as a flat list of whole paths, with what a person looks for: depths, restarts, the last error. */
export function renderActors(
  report: ActorsReport,
  options: { readonly columns: number; readonly tree: boolean },
): string[] {
  const sorted = [...report.actors].sort((a, b) => compareTexts(a.path, b.path));
  const rows = sorted.map((actor) => [
    options.tree ? treeName(actor) : actor.path,
    actor.state,
    String(actor.depth.system + actor.depth.control + actor.depth.data),
    String(actor.messages),
    String(actor.restarts),
    actor.lastError ?? "",
  ]);
  const columns = [
    { title: "ACTOR" },
    { title: "STATE" },
    { title: "DEPTH", alignRight: true, dispensable: 2 },
    { title: "MESSAGES", alignRight: true, dispensable: 3 },
    { title: "RESTARTS", alignRight: true, dispensable: 1 },
    { title: "LAST ERROR" },
  ];
  return [`${report.node}:`, ...table(columns, rows, { columns: options.columns, indent: "  " })];
}

function treeName(actor: ActorLine): string {
  const parts = actor.path.split("/");
  return `${"  ".repeat(parts.length - 1)}${parts.at(-1) ?? ""}`;
}

/** A parent before its children: `/` sorts before everything. */
function compareTexts(a: string, b: string): number {
  const [first, second] = [a.replaceAll("/", "\u0000"), b.replaceAll("/", "\u0000")];
  return first < second ? -1 : first > second ? 1 : 0;
}
