/** TLS on loopback keeps the promises of every transport, and lets in nobody whose certificate does not prove a name. */
import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { after, test } from "node:test";
import tls from "node:tls";
import type { ByteStream, StreamEnd } from "../../runtime/byte_stream.ts";
import { isAddressRefusal, parseAddress } from "../../transports/address.ts";
import { createAuthority } from "../../transports/certificate_authority.ts";
import { isCredentialsFailure, readCredentials } from "../../transports/tls_credentials.ts";
import { tlsTransport } from "../../transports/tls.ts";
import { isListenFailure, isStreamEnd, type Listener } from "../../transports/transport.ts";
import { Collector, transportSuite } from "../conformance/transport_suite.ts";
import { CertificateFolder } from "./support/certificates.ts";
import { settleReal, untilReal } from "./support/real_world.ts";

const folder = await CertificateFolder.create();
after(() => folder.remove());
await folder.issue("alpha");
await folder.issue("beta");
const address = { scheme: "tls", host: "127.0.0.1", port: 0 } as const;

async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

transportSuite("tls", async () => ({
  transport: tlsTransport(folder.credentials("alpha")),
  address,
  deadAddress: { ...address, port: await deadPort() },
  until: untilReal,
  settle: settleReal,
  close: () => Promise.resolve(),
}));

interface Door {
  readonly listener: Listener;
  readonly accepted: ByteStream[];
  readonly troubles: string[];
  /** Ends all streams: a caller that refuses the door's certificate may be let in by the door before it leaves. */
  close(): Promise<void>;
}

async function openDoor(transport: ReturnType<typeof tlsTransport>): Promise<Door> {
  const accepted: ByteStream[] = [];
  const troubles: string[] = [];
  let closing = false;
  const onStream = (stream: ByteStream) => {
    if (closing) stream.destroy("the test is over");
    else accepted.push(stream);
  };
  const listener = await transport.listen(address, onStream, {
    onTrouble: (detail) => troubles.push(detail),
  });
  assert.ok(!isListenFailure(listener));
  const close = () => {
    closing = true;
    for (const stream of accepted) stream.destroy("the test is over");
    return listener.close();
  };
  return { listener, accepted, troubles, close };
}

function call(door: Door, from: ReturnType<typeof tlsTransport>, expectedName: string) {
  const target = parseAddress(door.listener.address);
  assert.ok(!isAddressRefusal(target));
  return from.connect(target, { timeoutMs: 5_000, expectedName });
}

function endedAs(outcome: ByteStream | StreamEnd): StreamEnd {
  assert.ok(isStreamEnd(outcome), "no stream was given");
  return outcome;
}

test("tls: each side knows the other's name", async () => {
  const door = await openDoor(tlsTransport(folder.credentials("alpha")));
  const near = await call(door, tlsTransport(folder.credentials("beta")), "alpha");
  assert.ok(!isStreamEnd(near), JSON.stringify(near));
  assert.deepEqual(near.provenNames, ["alpha"]);
  await untilReal(() => door.accepted.length === 1, "the accepted stream");
  assert.deepEqual(door.accepted[0]?.provenNames, ["beta"]);
  near.destroy("done");
  await door.close();
});

test("tls: a node that answers with another's certificate is refused by the caller", async () => {
  const door = await openDoor(tlsTransport(folder.credentials("alpha")));
  const end = endedAs(await call(door, tlsTransport(folder.credentials("beta")), "gamma"));
  assert.equal(end.kind, "refused");
  assert.match(end.detail, /: the certificate of "alpha" was shown, not that of "gamma"$/);
  await door.close();
});

const STRANGERS: readonly [string, (file: string) => Promise<void>, RegExp][] = [
  [
    "an expired certificate",
    (file) => folder.issue("beta", { days: -1, file }),
    /the certificate of "beta" expired on .* GMT/,
  ],
  [
    "a certificate of another authority",
    async (file) => {
      const by = await createAuthority({ name: "test authority", nowMs: Date.now(), days: 2 });
      await folder.issue("beta", { by, file });
    },
    /the certificate of "beta" was not signed by this cluster's authority/,
  ],
];

for (const [what, prepare, reason] of STRANGERS) {
  test(`tls: ${what} is refused, and both sides hear the reason`, async () => {
    await prepare("stranger");
    const stranger = tlsTransport(folder.credentials("beta", "stranger"));
    const door = await openDoor(tlsTransport(folder.credentials("alpha")));
    const end = endedAs(await call(door, stranger, "alpha"));
    assert.equal(end.kind, "refused");
    assert.match(end.detail, /: this node was refused: /);
    assert.match(end.detail, reason);
    assert.match(door.troubles.join(), reason);
    assert.equal(door.accepted.length, 0);
    await door.close();
    const strangersDoor = await openDoor(stranger);
    const answer = endedAs(await call(strangersDoor, tlsTransport(folder.credentials("alpha")), "beta"));
    assert.equal(answer.kind, "refused");
    assert.match(answer.detail, reason);
    await strangersDoor.close();
  });
}

test("tls: who shows no certificate gets no stream", async () => {
  const door = await openDoor(tlsTransport(folder.credentials("alpha")));
  const port = Number(door.listener.address.split(":").at(-1));
  const heard: Buffer[] = [];
  let closed = false;
  const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  socket.on("data", (bytes: Buffer) => heard.push(bytes));
  socket.on("error", () => {});
  socket.on("close", () => closed = true);
  await untilReal(() => closed && door.troubles.length > 0, "the refusal");
  assert.match(Buffer.concat(heard).toString(), /^HFTL.*it showed no certificate$/s);
  assert.equal(door.accepted.length, 0);
  await door.close();
});

test("tls: what speaks no TLS is refused, on either side", async () => {
  const door = await openDoor(tlsTransport(folder.credentials("alpha")));
  const port = Number(door.listener.address.split(":").at(-1));
  const plain = net.connect({ host: "127.0.0.1", port }, () => plain.write("HFFR no TLS at all".repeat(20)));
  plain.on("error", () => {});
  await untilReal(() => door.troubles.length > 0, "the listener's word");
  plain.destroy();
  assert.equal(door.accepted.length, 0);
  await door.close();
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.end("this is no TLS either");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target = { ...address, port: (server.address() as net.AddressInfo).port };
  const outcome = await tlsTransport(folder.credentials("alpha")).connect(target, { timeoutMs: 5_000 });
  assert.ok(isStreamEnd(outcome));
  server.close();
});

test("tls: renewed certificates are used by new connections, and the open ones live on", async () => {
  await folder.issue("alpha", { file: "renewed" });
  const credentials = folder.credentials("alpha", "renewed");
  const door = await openDoor(tlsTransport(credentials));
  const beta = tlsTransport(folder.credentials("beta"));
  const first = await call(door, beta, "alpha");
  assert.ok(!isStreamEnd(first));
  const before = credentials.material.cert;
  await folder.issue("alpha", { file: "renewed" });
  const renewalsBefore = folder.renewals;
  credentials.look();
  credentials.look();
  assert.equal(folder.renewals, renewalsBefore + 1, "one renewal is told once");
  assert.notEqual(credentials.material.cert, before);
  // Renewed away from the authority: it is seen at once that new connections use it, and no open one minds.
  const by = await createAuthority({ name: "test authority", nowMs: Date.now(), days: 2 });
  await folder.issue("alpha", { file: "renewed", by });
  credentials.look();
  const refused = await call(door, beta, "alpha");
  assert.match(endedAs(refused).detail, /was not signed by this cluster's authority/);
  const collector = new Collector();
  first.start(collector);
  door.accepted[0]?.start(new Collector());
  door.accepted[0]?.send(new TextEncoder().encode("still here"));
  await untilReal(() => collector.text() === "still here", "the open connection");
  first.destroy("done");
  await door.close();
});

test("tls: files in the middle of a renewal change nothing, and are complained of only if they stay so", async () => {
  await folder.issue("alpha", { file: "half" });
  await folder.issue("alpha", { file: "other" });
  const credentials = folder.credentials("alpha", "half");
  const before = credentials.material;
  copyFileSync(folder.files("other").cert, folder.files("half").cert);
  const silent = folder.troubles.length;
  credentials.look();
  assert.equal(folder.troubles.length, silent);
  credentials.look();
  credentials.look();
  assert.equal(folder.troubles.length, silent + 1);
  assert.match(
    folder.troubles.at(-1) ?? "",
    /^security\.tls\.key: .*half-key\.pem is not the key of .*half\.pem \(try: /,
  );
  assert.equal(credentials.material, before);
  copyFileSync(folder.files("other").key, folder.files("half").key);
  credentials.look();
  assert.notEqual(credentials.material, before);
});

test("tls: credentials that cannot work are refused with the field, the file and the remedy", async () => {
  const refused = (files: Parameters<typeof readCredentials>[0], node: string) => {
    const outcome = readCredentials(files, node);
    assert.ok(isCredentialsFailure(outcome));
    return outcome.detail;
  };
  const good = folder.files("alpha");
  assert.match(
    refused(good, "gamma"),
    /^security\.tls\.cert: .* names alpha, not gamma \(try: holdfast cert issue gamma\)$/,
  );
  assert.match(
    refused({ ...good, ca: `${good.ca}.none` }, "alpha"),
    /^security\.tls\.ca: .* cannot be read: /,
  );
  assert.match(refused({ ...good, cert: good.key }, "alpha"), /holds no certificate/);
  writeFileSync(`${good.key}.bad`, "no key");
  assert.match(
    refused({ ...good, key: `${good.key}.bad` }, "alpha"),
    /^security\.tls\.key: .* is no private key/,
  );
});
