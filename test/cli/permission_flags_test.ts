import assert from "node:assert/strict";
import { test } from "node:test";
import { doorFlags, nodeFlags } from "../../cli/permission_flags.ts";
import { watchdogPeriodMs } from "../../cli/systemd.ts";
import { checkConfig } from "../../config/check_config.ts";

const TEXT = `cluster: demo
nodes:
  alpha: { listen: ["tcp://[::1]:7401"], nbd: [127.0.0.1:10801, "unix:a,b.sock"], http: 127.0.0.1:7481 }
  beta: { listen: [tcp://127.0.0.1:7402], nbd: [127.0.0.1:10802] }
groups:
  db:
    volumes: { data: { size: 1MiB } }
    replicas: { alpha: { disk: { data: /srv/a/data.img } }, beta: { disk: { data: b.img } } }
`;

function flagsOf(text: string, change: { notify?: boolean; node?: string } = {}): string[] {
  const outcome = checkConfig(text, { file: "/etc/hf/cluster.yaml" });
  return nodeFlags({
    config: outcome.ok ? outcome.config : undefined,
    node: "alpha",
    root: "/opt/hf",
    file: "/etc/hf/cluster.yaml",
    stateDir: "/var/lib/hf",
    notify: false,
    realPath: (path) => path.replace("/srv/", "/mnt/srv/"),
    ...change,
  });
}

test("permissions: a node may touch its own disks, state and addresses, and those of no other", () => {
  const flags = flagsOf(TEXT);
  assert.deepEqual(flags.slice(0, 3), [
    "--allow-read=/opt/hf,/etc/hf/cluster.yaml,/var/lib/hf,/srv/a,/mnt/srv/a,/srv/a/data.img.holdfast,/mnt/srv/a/data.img.holdfast,/etc/hf/a,,b.sock",
    "--allow-write=/var/lib/hf,/srv/a,/mnt/srv/a,/srv/a/data.img.holdfast,/mnt/srv/a/data.img.holdfast,/etc/hf/a,,b.sock",
    "--allow-net=[::1]:7401,127.0.0.1:10801,unix:/etc/hf/a,,b.sock,127.0.0.1:7481,127.0.0.1:7402,unix:/var/lib/hf/admin.sock,unix:/var/lib/hf/repl.sock",
  ]);
  assert.ok(!flags.some((flag) => /allow-(all|run|import)/.test(flag)), flags.join(" "));
});

test("permissions: a node may read its certificates, and where a link leads the files beside them", () => {
  const security =
    'security: { tls: { ca: /etc/pki/ca.pem, cert: "/srv/{node}.pem", key: "{node}-key.pem" } }\n';
  const [read] = flagsOf(security + TEXT);
  assert.ok(
    read?.endsWith(",/etc/pki/ca.pem,/srv/alpha.pem,/mnt/srv/alpha.pem,/mnt/srv,/etc/hf/alpha-key.pem"),
    String(read),
  );
});

test("permissions: only systemd's notices need a program", () => {
  assert.ok(flagsOf(TEXT, { notify: true }).includes("--allow-run=systemd-notify"));
});

test("permissions: a block device costs the fence, also behind a link", () => {
  const device = TEXT.replace("/srv/a/data.img } }", "/dev/sdb }, metadata: { data: /var/lib/m } }");
  assert.deepEqual(flagsOf(device), ["--allow-all"]);
});

test("permissions: a configuration that cannot be used may be read, to say so, and nothing else", () => {
  for (const flags of [flagsOf("nonsense"), flagsOf(TEXT, { node: "gamma" })]) {
    assert.ok(flags.includes("--allow-read=/opt/hf,/etc/hf/cluster.yaml"));
    assert.ok(!flags.some((flag) => /allow-(all|write|net|run|ffi)/.test(flag)), flags.join(" "));
  }
});

test("permissions: a command opens its doors and no other", () => {
  const doors = [{ kind: "http", host: "127.0.0.1", port: 7481 }, {
    kind: "unix",
    path: "/run/a.sock",
  }] as const;
  const flags = doorFlags({ doors, realPath: (path) => path });
  assert.deepEqual(flags.slice(0, 3), [
    "--allow-read",
    "--allow-net=127.0.0.1:7481,unix:/run/a.sock",
    "--allow-write=/run/a.sock",
  ]);
  assert.ok(
    !doorFlags({ doors: [], realPath: (path) => path }).some((flag) => flag.startsWith("--allow-net")),
  );
});

test("systemd: the watchdog is fed at half its patience", () => {
  assert.deepEqual([undefined, "", "0", "x", "20000000"].map(watchdogPeriodMs), [
    undefined,
    undefined,
    undefined,
    undefined,
    10_000,
  ]);
});
