import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkConfig, type ConfigOutcome } from "../../config/check_config.ts";
import { tlsFilesOf } from "../../config/cluster_config.ts";
import { formatProblem } from "../../config/problem.ts";
import { configJsonSchema } from "../../config/schema.ts";

const FILE = "/etc/holdfast/cluster.yaml";

/** The contract's example without what is not built. */
const GOOD = `cluster: demo
nodes:
  alpha: { listen: [tcp://127.0.0.1:7401], nbd: [127.0.0.1:10801, unix:alpha-nbd.sock], http: 127.0.0.1:7481 }
  beta:  { listen: [tcp://127.0.0.1:7402], nbd: [127.0.0.1:10802], http: 127.0.0.1:7482 }
  gamma: { listen: ["tcp://[::1]:7403"] }
witnesses: []
heartbeat: { interval: 250ms, lease: 2s }
groups:
  db:
    volumes: { data: { size: 1GiB } }
    replicas:
      beta:  { disk: { data: beta/data.img }, mode: sync }
      alpha: { disk: { data: /srv/alpha.img }, metadata: { data: /fast/alpha } }
      gamma: { disk: { data: gamma/data.img }, mode: async, backlog: { bytes: 256MiB, onFull: throttle } }
    failover: auto
    quorum: majority
    onBlocked: suspend
    maxLoss: { seconds: 0, bytes: 0 }
`;

function check(text: string): ConfigOutcome {
  return checkConfig(text, { file: FILE });
}

function lines(text: string): string[] {
  const outcome = check(text);
  return outcome.ok ? [] : outcome.problems.map((problem) => formatProblem("c", problem));
}

/** GOOD with one thing changed. */
function changed(from: string | RegExp, to: string): string {
  const text = GOOD.replace(from, to);
  assert.notEqual(text, GOOD, `nothing matches ${from}`);
  return text;
}

test("config: the contract's example is read with its defaults, absolute paths and priorities", () => {
  const outcome = check(GOOD);
  assert.ok(outcome.ok, lines(GOOD).join("\n"));
  const { config } = outcome;
  assert.deepEqual(outcome.warnings, []);
  assert.deepEqual(config.heartbeat, { intervalMs: 250, leaseMs: 2_000 });
  assert.deepEqual(config.nodes[0], {
    name: "alpha",
    listen: [{ scheme: "tcp", host: "127.0.0.1", port: 7401, text: "tcp://127.0.0.1:7401" }],
    nbd: [
      { scheme: "tcp", host: "127.0.0.1", port: 10801, text: "tcp://127.0.0.1:10801" },
      { scheme: "unix", path: "/etc/holdfast/alpha-nbd.sock", text: "unix:/etc/holdfast/alpha-nbd.sock" },
    ],
    http: { scheme: "tcp", host: "127.0.0.1", port: 7481, text: "tcp://127.0.0.1:7481" },
  });
  assert.deepEqual(config.nodes[2]?.listen[0]?.text, "tcp://[::1]:7403");
  assert.deepEqual(config.nodes[2]?.http, undefined);
  const [group] = config.groups;
  assert.deepEqual(group?.replicas.map(({ node, mode }) => `${node} ${mode}`), [
    "beta sync",
    "alpha sync",
    "gamma async",
  ]);
  assert.deepEqual(group?.replicas.flatMap(({ disks }) => disks), [
    { volume: "data", path: "/etc/holdfast/beta/data.img", metadata: "/etc/holdfast/beta/data.img.holdfast" },
    { volume: "data", path: "/srv/alpha.img", metadata: "/fast/alpha" },
    {
      volume: "data",
      path: "/etc/holdfast/gamma/data.img",
      metadata: "/etc/holdfast/gamma/data.img.holdfast",
    },
  ]);
  assert.deepEqual(group?.replicas.map(({ backlog }) => backlog.bytes), [
    67_108_864,
    67_108_864,
    268_435_456,
  ]);
});

test("config: everything that can be left out has the contract's default", () => {
  const outcome = check(
    "cluster: c\nnodes: { a: { listen: [127.0.0.1:1] } }\ngroups: { g: { volumes: { v: { size: 1MiB } }, replicas: { a: { disk: { v: v.img } } } } }\n",
  );
  assert.ok(outcome.ok);
  assert.deepEqual(outcome.config.heartbeat, { intervalMs: 250, leaseMs: 2_000 });
  const [group] = outcome.config.groups;
  assert.deepEqual([group?.failover, group?.quorum, group?.onBlocked, group?.replicas[0]?.mode], [
    "auto",
    "majority",
    "suspend",
    "sync",
  ]);
});

const oneProblem: readonly [string, string, string][] = [
  [
    "a size without a unit",
    changed("1GiB", '"64"'),
    "c:10:30: groups.db.volumes.data.size is 64 without a unit (try: 64MiB or another of B, KiB, MiB, GiB, TiB, PiB, kB, MB, GB, TB, PB)",
  ],
  [
    "a size that is a number",
    changed("1GiB", "64"),
    "c:10:30: groups.db.volumes.data.size is 64, which needs its unit, as in 64MiB (try: size: 1GiB)",
  ],
  [
    "a size off the sector",
    changed("1GiB", "1000B"),
    "c:10:30: groups.db.volumes.data.size is 1000 bytes, no multiple of 512 (try: 1024B)",
  ],
  [
    "a time without a unit",
    changed("250ms", "250"),
    "c:7:24: heartbeat.interval is 250, which needs its unit, as in 250ms (try: interval: 250ms)",
  ],
  [
    "a lease of two heartbeats",
    changed("lease: 2s", "lease: 500ms"),
    "c:7:38: heartbeat.lease is 500ms (try: between 3 intervals (750ms) and 120000ms)",
  ],
  [
    "an unknown key",
    changed("onBlocked", "onBlock"),
    "c:17:5: groups.db.onBlock is no field that exists (try: onBlocked, if that was meant)",
  ],
  [
    "an unknown key at the top",
    changed("heartbeat:", "hartbeat:"),
    "c:7:1: hartbeat is no field that exists (try: heartbeat, if that was meant)",
  ],
  [
    "a missing field",
    changed("cluster: demo\n", ""),
    "c:1:1: cluster is missing (try: add it: cluster: demo)",
  ],
  [
    "an unknown mode",
    changed("mode: async", "mode: asinc"),
    'c:14:54: groups.db.replicas.gamma.mode is "asinc" (try: async, if that was meant)',
  ],
  [
    "a replica on an unknown node",
    changed("      beta:  { disk", "      betta: { disk"),
    "c:12:7: groups.db.replicas.betta is on no node that nodes names (try: beta, if that was meant)",
  ],
  [
    "a replica without a disk",
    changed("{ data: beta/data.img }", "{}"),
    "c:12:22: groups.db.replicas.beta.disk.data is missing (try: disk: { data: beta/data.img })",
  ],
  [
    "a disk for no volume",
    changed("metadata: { data:", "metadata: { dada:"),
    "c:13:60: groups.db.replicas.alpha.metadata.dada is for no volume of the group (try: data, if that was meant)",
  ],
  [
    "two replicas on one disk",
    changed("gamma/data.img", "beta/data.img"),
    "c:14:30: groups.db.replicas.gamma.disk.data is /etc/holdfast/beta/data.img, which groups.db.replicas.beta.disk.data has too (try: a path of its own)",
  ],
  [
    "one port twice",
    changed("10802", "7401"),
    "c:4:50: nodes.beta.nbd[0] is tcp://127.0.0.1:7401, which nodes.alpha.listen[0] has too (try: a port of its own)",
  ],
  [
    "an address without a port",
    changed("127.0.0.1:7482", "127.0.0.1"),
    'c:4:74: nodes.beta.http is "127.0.0.1", which is no address with a port (try: tcp://127.0.0.1:7401 or unix:node.sock)',
  ],
  [
    "an unknown transport",
    changed("tcp://127.0.0.1:7402", "quic://127.0.0.1:7402"),
    'c:4:21: nodes.beta.listen[0] is "quic://127.0.0.1:7402": no transport is named quic (try: tcp://127.0.0.1:7401 or unix:node.sock)',
  ],
  [
    "a node that listens nowhere",
    changed("listen: [tcp://127.0.0.1:7402], ", ""),
    "c:4:10: nodes.beta.listen is missing (try: add it: listen: [tcp://127.0.0.1:7401])",
  ],
  [
    "a device without a place for its metadata",
    changed("beta/data.img", "/dev/sdb"),
    "c:12:30: groups.db.replicas.beta.disk.data is a device, and its superblock and intent log cannot lie beside it under /dev (try: metadata: { data: /var/lib/holdfast/db/data })",
  ],
  [
    "a small backlog",
    changed("256MiB", "1KiB"),
    "c:14:79: groups.db.replicas.gamma.backlog.bytes is 1 KiB (try: between 1 MiB and 64 GiB)",
  ],
  [
    "a key twice",
    changed("cluster: demo\n", "cluster: demo\ncluster: other\n"),
    "c:2:1: is not YAML: Map keys must be unique (try: look at the indentation and the brackets at this place)",
  ],
  ["text that is no map", "just words", "c: is no map of fields (try: begin with cluster: NAME)"],
];
for (const [name, text, expected] of oneProblem) {
  test(`config: ${name} is refused at its place, with the remedy`, () =>
    assert.deepEqual(lines(text), [expected]));
}

test("config: a name that no map would keep in order is refused", () => {
  const problems = lines(GOOD.replaceAll(/\bgamma\b/g, "3").replaceAll("3/data", "gamma/data"));
  assert.ok(problems.some((line) => line.startsWith("c:5:3: nodes.3 is no name")), problems.join("\n"));
});

test("config: what is not built is refused by name, in the file's order, all at once", () => {
  const text = GOOD.replace("witnesses: []", "witnesses: [ redis://127.0.0.1:6379/0 ]")
    .replace('["tcp://[::1]:7403"]', '["tcp://[::1]:7403"], witness: true')
    .replace("mode: async,", "mode: async, compression: zstd,")
    .replace("onFull: throttle", "onFull: lag")
    .replace("failover: auto", "failover: confirm")
    .replace("quorum: majority", "quorum: off")
    .replace("seconds: 0", "seconds: 5")
    .concat("    application:\n      - { mount: data, at: /srv/db, type: ext4 }\n")
    .concat("fencing:\n  alpha: [ { agent: fence_ipmilan } ]\nnotify: [ { exec: /usr/local/bin/page } ]\n");
  assert.deepEqual(
    lines(text).map((line) =>
      line.replace(/ \(try: .*\)$/, "").replace("asks for ", "").replace(", which this version cannot do", "")
    ),
    [
      "c:5:51: nodes.gamma.witness a witness node without data",
      "c:6:12: witnesses voting by external witnesses",
      "c:14:74: groups.db.replicas.gamma.compression compression on a leg",
      "c:14:114: groups.db.replicas.gamma.backlog.onFull any policy of a full backlog but throttle",
      "c:15:15: groups.db.failover failover by a person's confirmation",
      "c:16:13: groups.db.quorum serving without a majority of voters",
      "c:18:25: groups.db.maxLoss.seconds promoting an async target by itself",
      "c:20:7: groups.db.application starting and stopping applications",
      "c:22:3: fencing fencing",
      "c:23:9: notify notification hooks",
    ],
  );
});

const SECURITY = 'security: { tls: { ca: ca.pem, cert: "tls/{node}.pem", key: "/keys/{node}" } }\n';

test("config: with security peers' addresses are tls addresses, and its paths are absolute", () => {
  const outcome = check(SECURITY + GOOD.replace("tcp://127.0.0.1:7402", "tls://10.0.0.2:7402"));
  assert.ok(outcome.ok, JSON.stringify(outcome));
  const { config } = outcome;
  assert.deepEqual(config.nodes.flatMap(({ listen }) => listen.map(({ text }) => text)), [
    "tls://127.0.0.1:7401",
    "tls://10.0.0.2:7402",
    "tls://[::1]:7403",
  ]);
  assert.ok(config.security !== undefined);
  assert.deepEqual(tlsFilesOf(config.security, "beta"), {
    ca: "/etc/holdfast/ca.pem",
    cert: "/etc/holdfast/tls/beta.pem",
    key: "/keys/beta",
  });
});

test("config: addresses and certificates go together", () => {
  const cases: readonly [string, RegExp][] = [
    [
      GOOD.replace("tcp://127.0.0.1:7402", "tcp://10.0.0.2:7402"),
      /listen\[0\] is tcp:.*without security anybody/,
    ],
    [
      GOOD.replace("tcp://127.0.0.1:7402", "tls://127.0.0.1:7402"),
      /listen\[0\] is tls:.*there are no certificates/,
    ],
    [SECURITY + GOOD.replace("tcp://127.0.0.1:7402", "unix:beta.sock"), /over which no node can show its/],
    [SECURITY + GOOD.replace("127.0.0.1:7402", "0.0.0.0:7402"), /every address of a machine/],
    [SECURITY + GOOD.replace("127.0.0.1:10802", "tls://127.0.0.1:10802"), /no transport is named tls/],
    ["security: { tls: { ca: ca.pem } }\n" + GOOD, /security\.tls\.cert is missing/],
  ];
  for (const [text, expected] of cases) {
    assert.match(lines(text)[0] ?? "fine", expected);
  }
});

test("config: nodes of two machines may have the same paths and loopback addresses", () => {
  const apart = SECURITY + GOOD
    .replace("tcp://127.0.0.1:7402", "tls://10.0.0.2:7402")
    .replace("beta/data.img", "/srv/alpha.img").replace("127.0.0.1:10802", "127.0.0.1:10801");
  assert.deepEqual(lines(apart), []);
  const together = apart.replace("tls://10.0.0.2:7402", "tls://127.0.0.1:7402");
  assert.equal(lines(together).length, 2);
});

test("config: a group of two voters is allowed, with the warning that either loss blocks it", () => {
  const outcome = check(changed(/ {6}gamma: .*\n/, ""));
  assert.ok(outcome.ok);
  assert.deepEqual(outcome.warnings.map(({ line, field }) => `${line} ${field}`), ["12 groups.db.replicas"]);
  assert.match(outcome.warnings[0]?.message ?? "", /either loss blocks/);
});

test("config: two groups cannot name a volume alike, since clients ask by that name alone", () => {
  const other =
    "  web:\n    volumes: { data: { size: 1MiB } }\n    replicas: { alpha: { disk: { data: web.img } } }\n";
  const [line, ...others] = lines(GOOD + other);
  assert.match(line ?? "", /^c:20:16: groups\.web\.volumes\.data has the name of a volume of the group db/);
  assert.deepEqual(others, []);
});

test("config: aliases that stand for a world are refused", () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n` +
    ["b", "c", "d", "e", "f", "g"].map((key, index) =>
      `${key}: &${key} [${Array(9).fill(`*${"abcdef"[index]}`).join(",")}]`
    ).join("\n");
  const problems = lines(bomb);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /cannot be read/);
});

test("config: no text whatever makes the check throw, and what is refused has a remedy", () => {
  const spliced = fc.tuple(fc.nat(GOOD.length), fc.nat(20), fc.string({ maxLength: 12 }))
    .map(([at, length, put]) => GOOD.slice(0, at) + put + GOOD.slice(at + length));
  fc.assert(
    fc.property(fc.oneof(spliced, fc.string()), (text) => {
      const outcome = check(text);
      if (!outcome.ok) {
        assert.ok(outcome.problems.length > 0 && outcome.problems.every(({ remedy }) => remedy !== ""));
      }
    }),
    { numRuns: 300, seed: 7 },
  );
});

test("config: the JSON Schema knows the fields and nothing that is not built", () => {
  const schema = configJsonSchema() as { properties: Record<string, unknown>; required: string[] };
  assert.deepEqual(Object.keys(schema.properties), ["cluster", "security", "nodes", "heartbeat", "groups"]);
  assert.deepEqual(schema.required, ["cluster", "nodes"]);
  assert.ok(!JSON.stringify(schema).includes("compression"));
});
