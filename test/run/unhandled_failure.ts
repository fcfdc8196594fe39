/**
 * Loaded before each test file: notes failures that nobody awaited. Both runtimes' `node:test` let some of them
 * pass (a rejection left behind by a test that already ended, a throw in a late timer), and a test suite that does
 * not see them calls a broken actor healthy. The note goes to a file, since neither the exit code nor the output of
 * a test process is ours to decide.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";

const notes = process.env["HOLDFAST_UNHANDLED_FILE"];

function note(failure: unknown): void {
  const text = failure instanceof Error ? failure.stack ?? failure.message : String(failure);
  if (notes !== undefined) appendFileSync(notes, `${text.replaceAll("\n", " ⏎ ").slice(0, 2000)}\n`);
}

if (process.versions["deno"] === undefined) {
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
} else {
  globalThis.addEventListener("unhandledrejection", (event) => note((event as { reason?: unknown }).reason));
  globalThis.addEventListener("error", (event) => note((event as { error?: unknown }).error));
}
