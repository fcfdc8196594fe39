/**
 * A cluster whose nodes prove their names: made with `holdfast cert`, its certificates renewed while it runs, and one
 * node kept out while its certificate has expired.
 */
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { issueCertificate } from "../../transports/certificate_authority.ts";
import { TestCluster, until } from "./support/cluster.ts";
import { holdfast } from "./support/holdfast.ts";

async function makeCertificates(cluster: TestCluster): Promise<void> {
  const security = 'security: { tls: { ca: ca.pem, cert: "{node}.pem", key: "{node}-key.pem" } }\n';
  writeFileSync(cluster.config, security + readFileSync(cluster.config, "utf8"));
  for (const words of [["ca"], ...cluster.nodes.map((node) => ["issue", node])]) {
    const ran = await holdfast(["cert", ...words, "--config", cluster.config]);
    assert.equal(ran.code, 0, ran.err);
  }
}

function logOf(cluster: TestCluster, node: string): string {
  return readFileSync(join(cluster.folder, `${node}.log`), "utf8");
}

test("secured cluster: peers talk TLS alone, renewals interrupt nothing, an expired node stays out until it is renewed", async (t) => {
  const cluster = await TestCluster.make();
  try {
    await makeCertificates(cluster);
    assert.equal(statSync(join(cluster.folder, "ca-key.pem")).mode & 0o777, 0o600);
    assert.equal(statSync(join(cluster.folder, "beta-key.pem")).mode & 0o777, 0o600);
    await cluster.startAll();
    await cluster.healthy();
    const connected = async () =>
      (await cluster.events("alpha")).filter(({ kind }) => /^(peer|leg|node)_/.test(kind)).length;
    const before = await connected();

    const renewed = await holdfast(["cert", "issue", "beta", "--config", cluster.config, "--json"]);
    assert.equal(renewed.code, 0, renewed.err);
    await until(
      async () => logOf(cluster, "beta").includes("certificate_renewed"),
      "beta to take its new certificate up",
    );
    await cluster.healthy();
    assert.equal(await connected(), before, "no connection of alpha ended or began");

    await cluster.stop("gamma");
    const authority = {
      cert: readFileSync(join(cluster.folder, "ca.pem"), "utf8"),
      key: readFileSync(join(cluster.folder, "ca-key.pem"), "utf8"),
    };
    const key = readFileSync(join(cluster.folder, "gamma-key.pem"), "utf8");
    const expired = await issueCertificate(authority, { name: "gamma", nowMs: Date.now(), days: -1, key });
    writeFileSync(join(cluster.folder, "gamma.pem"), expired.cert);
    await cluster.start("gamma");
    const reason = /the certificate of \\?"gamma\\?" expired on/;
    await until(
      async () => cluster.nodes.some((node) => reason.test(logOf(cluster, node))),
      "somebody to say why",
    );
    assert.match(logOf(cluster, "gamma"), /certificate_expired/);
    const again = await holdfast(["cert", "issue", "gamma", "--config", cluster.config]);
    assert.equal(again.code, 0, again.err);
    await cluster.healthy();
    t.diagnostic("gamma came back by itself");
  } finally {
    await cluster.close();
  }
});

test("secured cluster: a node without its certificate says which file it misses and how to make it", async () => {
  const cluster = await TestCluster.make({ modes: { alpha: "sync" } });
  try {
    await makeCertificates(cluster);
    writeFileSync(join(cluster.folder, "alpha.pem"), readFileSync(join(cluster.folder, "ca.pem")));
    const ran = await holdfast(["node", "start", "--config", cluster.config, "--node", "alpha"]);
    assert.equal(ran.code, 1);
    assert.match(
      ran.err,
      /Cannot start node "alpha": security\.tls\.cert: .*alpha\.pem names .*, not alpha \(try: holdfast cert issue alpha\)/,
    );
    const twice = await holdfast(["cert", "ca", "--config", cluster.config]);
    assert.equal(twice.code, 3);
    assert.match(twice.err, /Cannot make an authority: .*ca\.pem is there already/);
  } finally {
    await cluster.close();
  }
});
