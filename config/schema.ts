/**
 * The shape of `cluster.yaml`: the one import of zod. Each field says in one line what it means; the same words go
 * into the JSON Schema that `holdfast check --schema` prints, for editors.
 *
 * The schema knows shapes, units and ranges of single fields; what fields mean to each other is in `relations.ts`.
 */
import { z } from "zod";
import { parseAddress, type Parsed, parsePeerAddress } from "./address.ts";
import type { TcpAddress } from "./cluster_config.ts";
import type { Finding, PathSegment } from "./problem.ts";
import { findingsOf, type SchemaIssue } from "./schema_findings.ts";
import { type Measured, parseDuration, parseSize } from "./units.ts";

/** Names appear in paths, metrics and on the wire. They begin with a letter so that no map ever reorders them. */
const NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

const name = z.string().regex(NAME_PATTERN);

function measured(parse: (text: string) => Measured, example: string) {
  return z.string({ error: `needs its unit, as in ${example}` }).transform((text, context) => {
    const outcome = parse(text);
    if (outcome.ok) return outcome.value;
    context.addIssue({ code: "custom", message: outcome.message, params: { remedy: outcome.remedy } });
    return z.NEVER;
  });
}

const size = measured(parseSize, "64MiB");
const duration = measured(parseDuration, "250ms");
const path = z.string().min(1);

function address<A>(
  folder: string,
  parse: (text: string, options: { readonly folder: string }) => Parsed<A>,
) {
  return z.string().transform((text, context): A => {
    const parsed = parse(text, { folder });
    if (parsed.ok) return parsed.address;
    context.addIssue({ code: "custom", message: parsed.message, params: { remedy: parsed.remedy } });
    return z.NEVER;
  });
}

function tcpAddress(folder: string) {
  return address(folder, parseAddress).transform((parsed, context): TcpAddress => {
    if (parsed.scheme === "tcp") return parsed;
    const remedy = "host:port; the unix socket <state>/admin.sock is there anyway";
    context.addIssue({ code: "custom", message: "is a unix socket", params: { remedy } });
    return z.NEVER;
  });
}

/** One file's schema: relative socket paths are relative to `folder`. */
function clusterSchema(folder: string) {
  const node = z.strictObject({
    listen: z.array(address(folder, parsePeerAddress)).min(1).describe(
      "Where other nodes connect: tls://host:port, tcp://host:port or unix:path, tried in order",
    ),
    nbd: z.array(address(folder, parseAddress)).default([]).describe(
      "Where NBD clients connect: host:port or unix:path",
    ),
    http: tcpAddress(folder).optional().describe("Admin door, status and metrics: host:port"),
  });
  const replica = z.strictObject({
    disk: z.record(name, path).describe(
      "For each volume a file (created sparse when absent) or a block device",
    ),
    metadata: z.record(name, path).default({}).describe(
      "For each volume the folder of superblock and intent log; default <disk>.holdfast",
    ),
    mode: z.enum(["sync", "commit", "async"]).default("sync").describe(
      "When a write completes, seen from this replica",
    ),
    backlog: z.strictObject({
      bytes: size.default(64 * 2 ** 20).describe("What may wait on the leg, with its unit"),
      onFull: z.literal("throttle").default("throttle").describe(
        "What happens at the bound: the source slows down",
      ),
    }).prefault({}),
  });
  const group = z.strictObject({
    volumes: z.record(
      name,
      z.strictObject({ size: size.describe("The volume's size with its unit, a multiple of 512 bytes") }),
    ),
    replicas: z.record(name, replica).describe("By node; the order is the priority"),
    failover: z.literal("auto").default("auto").describe("Who decides about a failover"),
    quorum: z.literal("majority").default("majority").describe("How many voters must agree"),
    onBlocked: z.enum(["suspend", "error"]).default("suspend").describe(
      "What clients see while the group is blocked",
    ),
    maxLoss: z.strictObject({ seconds: z.literal(0).default(0), bytes: z.literal(0).default(0) }).optional()
      .describe("What an automatic promotion of an async replica may lose"),
  });
  return z.strictObject({
    cluster: name.describe("The cluster's name; nodes of another cluster are refused"),
    security: z.strictObject({
      tls: z.strictObject({
        ca: path.describe("The certificate of the authority that signs the nodes' certificates, PEM"),
        cert: path.describe("A node's certificate, PEM; {node} stands for its name"),
        key: path.describe("A node's private key, PEM; {node} stands for its name"),
      }).describe("Mutual TLS between nodes"),
    }).optional().describe("How nodes prove to each other who they are"),
    nodes: z.record(name, node).describe("Each node's addresses"),
    heartbeat: z.strictObject({
      interval: duration.default(250).describe("How often nodes tell each other that they live"),
      lease: duration.default(2_000).describe("How long a source may serve without hearing from a majority"),
    }).prefault({}),
    groups: z.record(name, group).default({}).describe("What moves together: volumes and their replicas"),
  });
}

/** What the file says, in the program's units; not yet checked against itself. */
export type ClusterDocument = z.output<ReturnType<typeof clusterSchema>>;

export type SchemaOutcome = { readonly ok: true; readonly document: ClusterDocument } | {
  readonly ok: false;
  readonly findings: readonly Finding[];
};

export function checkSchema(value: unknown, options: { readonly folder: string }): SchemaOutcome {
  const schema = clusterSchema(options.folder);
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, document: parsed.data };
  const issues = parsed.error.issues as unknown as readonly SchemaIssue[];
  return { ok: false, findings: findingsOf(issues, { document: value, keysAt: (at) => keysAt(schema, at) }) };
}

/** For editors: https://json-schema.org, draft 2020-12. */
export function configJsonSchema(): Record<string, unknown> {
  return { title: "Holdfast cluster.yaml", ...z.toJSONSchema(clusterSchema("/"), { io: "input" }) };
}

/** The keys that the schema knows at a path; names of a person's own choice are stepped over. */
function keysAt(schema: z.core.$ZodType, at: readonly PathSegment[]): string[] {
  let current = unwrapped(schema);
  for (const segment of at) {
    if (current instanceof z.ZodObject) current = unwrapped(current.shape[String(segment)]);
    else if (current instanceof z.ZodRecord) current = unwrapped(current.valueType);
    else return [];
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  let current = schema;
  while (
    current instanceof z.ZodDefault || current instanceof z.ZodPrefault || current instanceof z.ZodOptional
  ) {
    current = current.unwrap();
  }
  return current;
}
