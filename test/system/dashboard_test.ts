/**
 * The dashboard in a real browser, through a real failover: the page is served by the node that dies.
 *
 * What is promised: it shows who serves, follows the cluster when its own node is gone, gives orders only when
 * allowed to, loads nothing from anywhere but the nodes, and keeps to the rules of accessibility. With
 * HOLDFAST_SCREENSHOTS=DIR it leaves pictures of each view there.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { GROUP, TestCluster } from "./support/cluster.ts";
import { connectToSource } from "./support/volume.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const WITHIN_MS = 30_000;
const skip = existsSync(CHROMIUM) ? false : `${CHROMIUM} is not installed`;

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string }[];
}

let cluster: TestCluster;
let profile = "";
let context: BrowserContext;
let page: Page;
const requested = new Set<string>();
const troubles: string[] = [];

before(async () => {
  if (skip !== false) return;
  cluster = await TestCluster.inService();
  const { client } = await connectToSource(cluster);
  for (let block = 0; block < 256; block += 1) {
    assert.ok((await client.write(block * 65_536, new Uint8Array(16_384).fill(block), {})).ok);
  }
  await client.disconnect();
  profile = mkdtempSync(join(tmpdir(), "holdfast-browser-"));
  context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: FLAGS,
    viewport: { width: 1360, height: 900 },
    colorScheme: "light",
  });
  page = context.pages()[0] ?? await context.newPage();
  page.setDefaultTimeout(WITHIN_MS);
  page.on("request", (request) => void requested.add(new URL(request.url()).hostname));
  page.on("pageerror", (error) => void troubles.push(error.message));
  await page.goto(`http://127.0.0.1:${cluster.httpPort("alpha")}/`);
});

after(async () => {
  await context?.close();
  await cluster?.close();
  if (profile !== "") rmSync(profile, { recursive: true, force: true });
});

async function view(hash: string): Promise<void> {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
}

async function assertAccessible(what: string): Promise<void> {
  const require = createRequire(import.meta.url);
  await page.evaluate(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: unknown }> } };
    return (await axe.run()).violations;
  }) as readonly Violation[];
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(grave.map(({ id, nodes }) => `${what}: ${id}: ${nodes[0]?.html.slice(0, 200)}`), []);
}

async function picture(name: string): Promise<void> {
  const folder = process.env["HOLDFAST_SCREENSHOTS"];
  if (folder !== undefined && folder !== "") await page.screenshot({ path: join(folder, `${name}.png`) });
}

test(
  "dashboard: says that the data is safe, where the group is served, and what each replica is",
  { skip },
  async () => {
    await page.getByRole("heading", { name: "All is well" }).waitFor();
    await page.getByText("every completed write is on alpha and beta").waitFor();
    await page.getByText("db is served by alpha").waitFor();
    await page.getByText("source of db").waitFor();
    await assertAccessible("overview");
    await picture("overview");
    await view("#/group/db");
    await page.getByRole("heading", { name: "Replicas" }).waitFor();
    const rows = page.getByRole("table").filter({ hasText: "Promotable" }).getByRole("row");
    assert.equal(await rows.count(), 4, "a heading and three replicas");
    await page.getByRole("heading", { name: "Dirty regions" }).waitFor();
    await assertAccessible("group");
    await picture("group");
  },
);

test(
  "dashboard: shows the actors of a node that did not serve the page, and the state of one",
  { skip },
  async () => {
    await view("#/actors/gamma");
    await page.getByRole("link", { name: "group:db", exact: true }).waitFor();
    await page.getByRole("link", { name: "target", exact: true }).click();
    await page.getByLabel("State of the actor").getByText("replicating").waitFor();
    await assertAccessible("actors");
    await picture("actors");
  },
);

test("dashboard: opens read-only, and in the dark keeps its contrast", { skip }, async () => {
  await view("#/group/db");
  const move = page.getByRole("button", { name: "Move here …: switch over to beta" });
  await move.waitFor();
  assert.equal(await move.isDisabled(), true);
  await page.emulateMedia({ colorScheme: "dark" });
  await assertAccessible("group in the dark");
  await picture("group-dark");
  await view("#/");
  await page.getByRole("heading", { name: "All is well" }).waitFor();
  await assertAccessible("overview in the dark");
  await picture("overview-dark");
  await page.setViewportSize({ width: 400, height: 860 });
  await assertAccessible("overview, narrow");
  await picture("overview-narrow");
  const width = await page.evaluate("document.documentElement.scrollWidth") as number;
  assert.ok(width <= 400, `the page is ${width} wide on a screen of 400`);
  await page.setViewportSize({ width: 1360, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
});

test("dashboard: survives the node that served it, and shows the new source", { skip }, async () => {
  await view("#/");
  await page.getByText("db is served by alpha").waitFor();
  await cluster.kill("alpha");
  await page.getByText("The node that served this page does not answer.").waitFor();
  const source = await cluster.sourceOtherThan("alpha");
  assert.equal(source, "beta");
  await page.getByText("db is served by beta").waitFor();
  await page.getByText("alpha is down").first().waitFor();
  await page.getByText("holdfast node start").first().waitFor();
  await assertAccessible("overview after the failover");
  await picture("failover");
  await view("#/events");
  await page.getByText("Events of all nodes").waitFor();
  await picture("events");
  await assertAccessible("events");
});

test("dashboard: an order shows its plan, is carried out, and its outcome is seen", { skip }, async () => {
  await view("#/group/db");
  await page.getByRole("switch").click();
  await page.getByRole("button", { name: "Pause … the leg to gamma" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("beta stops shipping to gamma").waitFor();
  await dialog.getByText("holdfast mirror pause db --leg gamma").waitFor();
  await assertAccessible("an order");
  await picture("order");
  await dialog.getByRole("button", { name: "Pause", exact: true }).click();
  await dialog.getByText("Done.").waitFor();
  const paused = await cluster.waitFor(
    "a paused leg",
    ({ replicas }) => replicas["gamma"]?.leg === "paused",
  );
  assert.equal(paused.source, "beta");
  await dialog.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Resume … the leg to gamma" }).click();
  await dialog.getByRole("button", { name: "Resume", exact: true }).click();
  await dialog.getByText("Done.").waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
});

test(
  "dashboard: an actor's mail is traced to the page, and the trace ends when it is told to",
  { skip },
  async () => {
    await view("#/actors/beta/node/health");
    await page.getByRole("button", { name: "Trace its mail" }).click();
    await page.getByLabel("Messages of the actor").getByText("tick").first().waitFor();
    await page.getByRole("button", { name: "Stop the trace" }).click();
    await page.getByText("The trace has ended").waitFor();
    const admin = await cluster.actors("beta");
    assert.ok(admin.actors.some(({ path }) => path === "node/admin"));
  },
);

test("dashboard: sees the old source return", { skip }, async () => {
  await view("#/");
  await cluster.start("alpha");
  await cluster.healthy();
  await page.getByRole("heading", { name: "All is well" }).waitFor();
  assert.equal((await cluster.group())?.replicas["alpha"]?.role, "target", GROUP);
});

test("dashboard: loads nothing from anywhere but the nodes, and no script of it fails", { skip }, () => {
  assert.deepEqual([...requested], ["127.0.0.1"]);
  assert.deepEqual(troubles, []);
});
