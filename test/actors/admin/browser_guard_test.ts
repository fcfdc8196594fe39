/** Which browser may do what at the admin door, as a table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BrowserRequest, judgeBrowser } from "../../../actors/admin/browser_guard.ts";

const HOST = "127.0.0.1:7481";
const CLUSTER = ["http://127.0.0.1:7481", "http://127.0.0.1:7482"];
const program: BrowserRequest = { method: "GET", origin: null, site: null, doorHeader: null, host: HOST };
const page = { origin: "http://127.0.0.1:7481", site: "same-origin", doorHeader: "dashboard" };
const sibling = { origin: "http://127.0.0.1:7482", site: "cross-site", doorHeader: "dashboard" };
const foreign = { origin: "https://evil.example", site: "cross-site", doorHeader: "dashboard" };

const ROWS: readonly [string, Partial<BrowserRequest>, string][] = [
  ["a program reads", {}, "admit"],
  ["a program orders", { method: "POST" }, "admit"],
  ["our page reads", { ...page, doorHeader: null }, "admit"],
  ["our page orders", { ...page, method: "POST" }, "admit"],
  [
    "our page under another name of loopback",
    { ...page, origin: "http://localhost:7481", method: "POST" },
    "admit",
  ],
  ["our page orders without its header", { ...page, method: "POST", doorHeader: null }, "refuse"],
  ["another node's page reads, and is shown it", { ...sibling, doorHeader: null }, "admit for it"],
  [
    "another node's page asks whether it may order",
    { ...sibling, method: "OPTIONS", doorHeader: null },
    "admit for it",
  ],
  ["another node's page orders", { ...sibling, method: "POST" }, "admit for it"],
  ["a foreign page reads, and is shown nothing", { ...foreign }, "admit"],
  ["a foreign page asks whether it may order", { ...foreign, method: "OPTIONS" }, "refuse"],
  ["a foreign page orders", { ...foreign, method: "POST" }, "refuse"],
  [
    "a page of another port of this host orders",
    { ...page, origin: "http://127.0.0.1:9999", method: "POST" },
    "refuse",
  ],
  ["a page without an origin orders", { ...page, origin: "null", method: "POST" }, "refuse"],
  ["a browser that hides its page orders", { ...page, origin: null, method: "POST" }, "refuse"],
];

for (const [what, request, expected] of ROWS) {
  test(`browser: ${what}: ${expected}`, () => {
    const verdict = judgeBrowser({ ...program, ...request }, CLUSTER);
    const said = verdict.kind === "refuse" || verdict.allowOrigin === null ? verdict.kind : "admit for it";
    assert.equal(said, expected);
  });
}
