/**
 * The start: from a clean clone to a running program with one command, on a machine that has Node.js ≥ 20 and npm
 * (or Deno) and nothing else of ours.
 *
 *   node bin/launch.mjs demo|test|bench|simulate|setup [arguments]
 *
 * The pinned runtime is itself a package in `package-lock.json`, so «install» is the whole set-up: one `npm ci`, done
 * once per lock file. A stamp with the lock file's hash is written last; who finds it goes straight on, which makes
 * the next start a matter of milliseconds. Rejected: asking npm each time (1–2 s, and it needs the registry), and
 * comparing dates (a checkout changes them).
 *
 * Two starts at once must not run `npm ci` over each other. The guard is an abstract unix socket: the kernel gives
 * it to one process and takes it back when that process dies, so no stale lock can ever be left behind, which is
 * what every lock file on disk suffers from.
 *
 * Plain JavaScript on purpose: the Node that runs this may be too old for TypeScript. It never goes through
 * `node_modules/.bin/deno`, a wrapper whose death orphans the runtime.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { arch, constants as osConstants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = realpathSync(join(dirname(fileURLToPath(import.meta.url)), ".."));
const stampPath = join(root, "node_modules", ".holdfast-setup");
const EXIT_FAILED = 1;
const EXIT_WRONG_USE = 2;

function say(line) {
  process.stderr.write(`holdfast: ${line}\n`);
}

/** Ends with the message form that every door uses. */
function refuse(message, code = EXIT_FAILED) {
  process.stderr.write(`holdfast: Cannot ${message}\n`);
  process.exit(code);
}

function lockHash() {
  const lock = readFileSync(join(root, "package-lock.json"));
  return createHash("sha256").update(lock).update(`\0${process.platform}-${process.arch}`).digest("hex");
}

function isSetUp() {
  const stamped = existsSync(stampPath) && readFileSync(stampPath, "utf8").trim() === lockHash();
  return stamped || adoptInstall();
}

/**
 * A person who ran npm by hand has done our work already: npm's own record of what it installed, written as its last
 * act, is compared with the lock file. Equal → only the stamp is missing.
 */
function adoptInstall() {
  let wanted;
  let present;
  try {
    wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    present = JSON.parse(readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
  } catch {
    return false;
  }
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || entry.optional) continue;
    if (present[path]?.version !== entry.version) return false;
  }
  if (findDeno() === undefined) return false;
  writeFileSync(stampPath, `${lockHash()}\n`);
  return true;
}

/** The Deno binary of the package for this platform, or one on the PATH, or undefined. */
function findDeno() {
  const packages = join(root, "node_modules", "@deno");
  if (existsSync(packages)) {
    for (const name of readdirSync(packages).sort()) {
      const binary = join(packages, name, "deno");
      if (name.includes(arch()) && isExecutable(binary)) return binary;
    }
  }
  return onPath("deno");
}

function onPath(program) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    // The wrapper that npm puts on the PATH of its scripts is not a runtime.
    if (folder === "" || folder.includes("node_modules")) continue;
    if (isExecutable(join(folder, program))) return join(folder, program);
  }
  return undefined;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program to its end; its output goes to stderr, so that a command's stdout stays its own. */
function runToEnd(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", 2, 2] });
    child.on("error", (error) => resolve({ code: EXIT_FAILED, error }));
    child.on("exit", (code, signal) => resolve({ code: code ?? EXIT_FAILED, signal }));
  });
}

async function install() {
  const npm = onPath("npm");
  const deno = npm === undefined ? onPath("deno") : undefined;
  if (npm === undefined && deno === undefined) {
    refuse("set up: neither npm nor deno is on the PATH (try: install Node.js 20 or newer with npm)");
  }
  const [program, args] = npm === undefined ? [deno, ["install"]] : [npm, ["ci", "--no-progress"]];
  say(
    `setting up once: ${
      npm === undefined ? "deno install" : "npm ci"
    } fetches the pinned runtime and packages …`,
  );
  const startedAt = Date.now();
  const { code, error } = await runToEnd(program, args);
  if (code !== 0) {
    const why = error === undefined ? `it ended with code ${code}` : error.message;
    refuse(
      `set up: ${program} ${
        args.join(" ")
      }: ${why} (try: look at its messages above, and run the same command again)`,
    );
  }
  if (findDeno() === undefined) {
    refuse(
      `set up: no Deno package exists for ${process.platform}-${arch()} (try: install Deno 2.9 or newer on the PATH)`,
    );
  }
  writeFileSync(stampPath, `${lockHash()}\n`);
  say(`set up in ${((Date.now() - startedAt) / 1000).toFixed(1)} s; further starts reuse it`);
}

/** Resolves with how to let go of the guard, or with undefined when another process has it. */
function takeGuard(name) {
  return new Promise((resolve, reject) => {
    const waiting = new Set();
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.on("error", () => socket.destroy());
    });
    server.once("error", (error) => error.code === "EADDRINUSE" ? resolve(undefined) : reject(error));
    server.listen(name, () =>
      resolve(() => {
        server.close();
        // Closing the server alone leaves those who wait on their connections, and us waiting for them.
        for (const socket of waiting) socket.destroy();
      }));
  });
}

/** Resolves when the process that holds the guard lets go of it or dies. */
function guardReleased(name) {
  return new Promise((resolve) => {
    const socket = connect(name);
    socket.on("error", () => socket.destroy());
    socket.on("close", resolve);
    socket.resume();
  });
}

async function ensureSetUp() {
  if (isSetUp()) return;
  const guardName = `\0holdfast-setup-${createHash("sha256").update(root).digest("hex").slice(0, 32)}`;
  let saidSo = false;
  for (;;) {
    const letGo = await takeGuard(guardName);
    if (letGo === undefined) {
      if (!saidSo) say("another start is setting up; waiting for it …");
      saidSo = true;
      await guardReleased(guardName);
      if (isSetUp()) return;
      continue;
    }
    if (!isSetUp()) await install();
    letGo();
    return;
  }
}

/** What each word runs. `undefined` when the arguments name nothing. */
function programOf(word, args) {
  const deno = findDeno() ?? process.execPath;
  const trusted = [deno, "run", "--no-check", "--allow-all", "--config", join(root, "deno.json")];
  switch (word) {
    case "demo":
      return [[join(root, "bin", "holdfast"), "demo", ...args]];
    case "test":
      return [[...trusted, join(root, "test", "run", "main.ts"), ...args]];
    case "simulate":
      return [[...trusted, join(root, "test", "simulator", "main.ts"), ...args]];
    case "bench":
      return benchPrograms(trusted, args);
    default:
      return undefined;
  }
}

/** One question per file: the named ones, or all of them one after the other. */
function benchPrograms(trusted, args) {
  const known = readdirSync(join(root, "bench")).filter((name) => name.endsWith(".ts")).map((name) =>
    name.slice(0, -3)
  );
  const named = args.length === 0 ? known : [args[0]];
  for (const name of named) {
    if (!known.includes(name)) {
      refuse(
        `run the bench ${name}: it is none of: ${known.join(", ")} (try: npm run bench -- ${known[0]})`,
        EXIT_WRONG_USE,
      );
    }
  }
  return named.map((name) => [...trusted, join(root, "bench", `${name}.ts`), ...args.slice(1)]);
}

/**
 * Node 20 cannot replace itself by another program, so this process stays as thin as can be: it hands on signals and
 * ends as its child ended. A terminal sends Ctrl-C to the whole group already; handing that on would say it twice.
 */
function runInPlace([program, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: "inherit" });
    const signals = process.stdin.isTTY ? ["SIGTERM", "SIGHUP"] : ["SIGTERM", "SIGHUP", "SIGINT"];
    const handOn = signals.map((signal) => [signal, () => process.kill(child.pid, signal)]);
    if (process.stdin.isTTY) handOn.push(["SIGINT", () => say("stopping …")]);
    child.on("spawn", () => handOn.forEach(([signal, handler]) => process.on(signal, handler)));
    child.on("error", (error) => refuse(`run ${program}: ${error.message} (try: node bin/launch.mjs setup)`));
    child.on("exit", (code, signal) => {
      handOn.forEach(([name, handler]) => process.off(name, handler));
      resolve(code ?? 128 + (osConstants.signals[signal] ?? 0));
    });
  });
}

async function main() {
  const [word, ...args] = process.argv.slice(2);
  const known = ["demo", "test", "bench", "simulate", "setup"];
  if (!known.includes(word)) {
    refuse(
      `launch ${word ?? "nothing"}: the words are ${known.join(", ")} (try: npm run demo)`,
      EXIT_WRONG_USE,
    );
  }
  await ensureSetUp();
  if (word === "setup") return 0;
  let worst = 0;
  for (const program of programOf(word, args)) {
    worst = Math.max(worst, await runInPlace(program));
  }
  return worst;
}

process.exitCode = await main();
