/**
 * `holdfast cert`: an authority and node certificates, for those who have none; where the configuration looks for them.
 *
 * Keys are made where they are used if one likes: `issue` renews the certificate of a key that is there and never
 * replaces a key. The authority's key signs everything, so it lies beside its certificate only until it is moved to a
 * safe place; `--authority` says where that is.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type SecurityConfig, tlsFilesOf } from "../../config/cluster_config.ts";
import { loadConfig } from "../../config/load_config.ts";
import { createAuthority, issueCertificate } from "../../transports/certificate_authority.ts";
import type { Command, CommandOption, Invocation } from "../command.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { configFile } from "../target.ts";

const AUTHORITY_DAYS = 3_650;
const NODE_DAYS = 365;
const DAYS_MAX = 36_500;

const DIR: CommandOption = {
  flags: "--dir <folder>",
  means: "where the files are (default: as the configuration's security says, else its folder)",
};

export const certCa: Command = {
  words: "cert ca",
  summary: "make the authority that signs the nodes' certificates",
  options: [DIR, { flags: "--days <number>", means: `how long it is valid (default: ${AUTHORITY_DAYS})` }],
  examples: ["cert ca --config cluster.yaml", "cert ca --dir /etc/holdfast --days 1825"],
  run: async (invocation) => {
    const places = placesOf(invocation);
    const { ca } = tlsFilesOf(places.security, "ca");
    const key = authorityKeyOf(invocation, ca);
    for (const file of [ca, key].filter((each) => existsSync(each))) {
      throw new Failure(
        `make an authority: ${file} is there already, and what it signed would be worth nothing`,
        {
          exitCode: EXIT.refused,
          remedy: "another --dir, or move the file away",
        },
      );
    }
    const days = daysOf(invocation, AUTHORITY_DAYS);
    const made = await createAuthority({ name: `${places.cluster} authority`, nowMs: Date.now(), days });
    write(key, made.key, { secret: true });
    write(ca, made.cert, { secret: false });
    return report(invocation, { authority: ca, key, days });
  },
};

export const certIssue: Command = {
  words: "cert issue <name>",
  summary: "make or renew a node's certificate; a running node takes it up by itself",
  options: [
    DIR,
    { flags: "--authority <file>", means: "the authority's key (default: beside its certificate)" },
    { flags: "--days <number>", means: `how long it is valid (default: ${NODE_DAYS})` },
  ],
  examples: [
    "cert issue alpha --config cluster.yaml",
    "cert issue alpha --authority /media/safe/ca-key.pem --days 90",
  ],
  run: async (invocation) => {
    const name = invocation.args["name"] ?? "";
    const places = placesOf(invocation);
    if (places.nodes !== undefined && !places.nodes.includes(name)) {
      throw new Failure(`issue a certificate for "${name}": the configuration names no such node`, {
        exitCode: EXIT.usage,
        remedy: `one of ${places.nodes.join(", ")}`,
      });
    }
    if (!/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(name)) {
      throw new Failure(`issue a certificate for "${name}": it is no name of a node`, {
        exitCode: EXIT.usage,
        remedy: "a letter, then letters, digits, - _ and ., 64 at most",
      });
    }
    const files = tlsFilesOf(places.security, name);
    const authority = { cert: read(files.ca), key: read(authorityKeyOf(invocation, files.ca)) };
    const key = existsSync(files.key) ? read(files.key) : undefined;
    const days = daysOf(invocation, NODE_DAYS);
    const options = { name, nowMs: Date.now(), days, ...(key === undefined ? {} : { key }) };
    const issued = await issueCertificate(authority, options).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new Failure(`issue a certificate for "${name}": ${why}`, {
        exitCode: EXIT.failed,
        remedy: "keys made by holdfast cert (ECDSA P-256, PKCS #8), or the program that made the others",
      });
    });
    if (key === undefined) write(files.key, issued.key, { secret: true });
    write(files.cert, issued.cert, { secret: false });
    return report(invocation, { certificate: files.cert, key: files.key, days });
  },
};

interface Places {
  readonly cluster: string;
  readonly security: SecurityConfig;
  /** Undefined without a configuration. */
  readonly nodes: readonly string[] | undefined;
}

/** Also with a configuration that is not fine yet: the certificates may be what it lacks. */
function placesOf({ shared, options }: Invocation): Places {
  const file = configFile(shared);
  const outcome = loadConfig(file);
  const config = outcome.ok ? outcome.config : undefined;
  const given = options["dir"];
  const folder = typeof given === "string" ? resolve(given) : dirname(resolve(file));
  const usual = {
    tls: {
      ca: join(folder, "ca.pem"),
      cert: join(folder, "{node}.pem"),
      key: join(folder, "{node}-key.pem"),
    },
  };
  return {
    cluster: config?.cluster ?? "holdfast",
    security: typeof given === "string" ? usual : config?.security ?? usual,
    nodes: config?.nodes.map(({ name }) => name),
  };
}

function authorityKeyOf({ options }: Invocation, ca: string): string {
  const given = options["authority"];
  return typeof given === "string" ? resolve(given) : ca.replace(/(\.[a-z]+)?$/, (ending) => `-key${ending}`);
}

function daysOf({ options }: Invocation, usual: number): number {
  const given = options["days"];
  if (given === undefined) return usual;
  const days = Number(given);
  if (Number.isInteger(days) && days >= 1 && days <= DAYS_MAX) return days;
  throw new Failure(`use --days ${String(given)}: it is no number of days`, {
    exitCode: EXIT.usage,
    remedy: `between 1 and ${DAYS_MAX}`,
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Failure(`read ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      exitCode: EXIT.failed,
      remedy: "holdfast cert ca first, or --authority FILE, or --dir FOLDER",
    });
  }
}

/** Whole or not at all: a node may be reading it. */
function write(file: string, text: string, { secret }: { readonly secret: boolean }): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, text, { mode: secret ? 0o600 : 0o644 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw new Failure(`write ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      exitCode: EXIT.failed,
      remedy: "a folder that this user may write: --dir FOLDER",
    });
  }
}

function report({ shared, terminal }: Invocation, made: Readonly<Record<string, string | number>>): ExitCode {
  const text = Object.entries(made).map(([what, value]) => `${what}: ${value}`).join("\n");
  terminal.out(`${shared.json ? JSON.stringify(made, null, 2) : text}\n`);
  return EXIT.done;
}
