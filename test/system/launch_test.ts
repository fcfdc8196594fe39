/**
 * The start, on a tree of its own with an `npm` that only pretends: set up once, by one of those who start together.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findNode } from "../run/runtimes.ts";

const root = join(fileURLToPath(import.meta.url), "..", "..", "..");
const node = findNode(root)?.binary;
const needsNode = { skip: node === undefined ? "no Node.js of version 24 or newer is there" : false };

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A tree with the real launcher, a lock file, and an npm that notes each call and lays down a pretended runtime. */
function pretendedTree(
  options: { readonly npmFails?: boolean } = {},
): { tree: string; env: Record<string, string> } {
  const tree = mkdtempSync(join(tmpdir(), "holdfast-launch-"));
  folders.push(tree);
  for (const name of ["bin", "tools", "test/run"]) mkdirSync(join(tree, name), { recursive: true });
  copyFileSync(join(root, "bin", "launch.mjs"), join(tree, "bin", "launch.mjs"));
  writeFileSync(join(tree, "package-lock.json"), '{ "packages": {} }');
  const runtime = `node_modules/@deno/linux-${process.arch}-glibc`;
  const lines = [
    "#!/bin/sh",
    "echo called >> calls",
    "sleep 0.5",
    ...(options.npmFails === true ? ["echo no such registry >&2", "exit 7"] : []),
    `mkdir -p ${runtime}`,
    `printf '#!/bin/sh\\necho ran "$@"; exit 42\\n' > ${runtime}/deno`,
    `chmod +x ${runtime}/deno`,
  ];
  writeFileSync(join(tree, "tools", "npm"), `${lines.join("\n")}\n`);
  chmodSync(join(tree, "tools", "npm"), 0o755);
  return {
    tree,
    env: { PATH: [join(tree, "tools"), dirname(node ?? ""), "/usr/bin", "/bin"].join(delimiter) },
  };
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function launch(
  { tree, env }: { tree: string; env: Record<string, string> },
  ...args: string[]
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(node ?? "", [join(tree, "bin", "launch.mjs"), ...args], {
      cwd: tree,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = { out: "", err: "" };
    child.stdout.on("data", (chunk: Uint8Array) => void (texts.out += new TextDecoder().decode(chunk)));
    child.stderr.on("data", (chunk: Uint8Array) => void (texts.err += new TextDecoder().decode(chunk)));
    child.on("close", (code) => resolve({ code, ...texts }));
  });
}

test("start: of three that start together one sets up, and all go on", needsNode, async () => {
  const place = pretendedTree();
  const ran = await Promise.all([1, 2, 3].map(() => launch(place, "setup")));
  assert.deepEqual(ran.map(({ code }) => code), [0, 0, 0], ran.map(({ err }) => err).join(""));
  assert.equal(readFileSync(join(place.tree, "calls"), "utf8"), "called\n");
  assert.equal(ran.filter(({ err }) => err.includes("setting up once")).length, 1);
});

test(
  "start: the second time nothing is set up, and a changed lock file sets up again",
  needsNode,
  async () => {
    const place = pretendedTree();
    await launch(place, "setup");
    const again = await launch(place, "setup");
    assert.deepEqual([again.code, again.err], [0, ""]);
    writeFileSync(
      join(place.tree, "package-lock.json"),
      '{ "packages": { "node_modules/a": { "version": "1.0.0" } } }',
    );
    await launch(place, "setup");
    assert.equal(readFileSync(join(place.tree, "calls"), "utf8"), "called\ncalled\n");
  },
);

test("start: the exit code and the output are those of what was started", needsNode, async () => {
  const place = pretendedTree();
  const ran = await launch(place, "test", "--only", "unit");
  assert.equal(ran.code, 42);
  assert.match(ran.out, /^ran run .*test\/run\/main\.ts --only unit\n$/);
});

test("start: a set-up that fails says so, leaves no stamp, and is tried again", needsNode, async () => {
  const place = pretendedTree({ npmFails: true });
  const ran = await launch(place, "test");
  assert.equal(ran.code, 1);
  assert.match(ran.err, /no such registry\nholdfast: Cannot set up: .* ended with code 7 \(try: /);
  assert.ok(!existsSync(join(place.tree, "node_modules", ".holdfast-setup")));
});

test("start: an unknown word is wrong use", needsNode, async () => {
  const ran = await launch(pretendedTree(), "dmeo");
  assert.deepEqual([ran.code, ran.err.startsWith("holdfast: Cannot launch dmeo: ")], [2, true]);
});

test("start: the program is replaced by the runtime: one process gets the signals", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-exec-"));
  folders.push(folder);
  const file = join(folder, "cluster.yaml");
  writeFileSync(file, "cluster: c\nnodes: { a: { listen: [unix:a.sock] } }\n");
  const args = ["status", "--watch", "--config", file];
  const child = spawn(join(root, "bin", "holdfast"), args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
  const program = await new Promise((resolve) =>
    child.stdout.once("data", () => resolve(readlinkSync(`/proc/${child.pid}/exe`)))
  );
  process.kill(child.pid ?? 0, "SIGTERM");
  assert.match(String(program), /\/deno$/);
  assert.equal(await ended, 0);
});
