/** Which volumes are served here and by whom, and that a closed gate leaves no session behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ExportTable,
  type ServedElsewhere,
  type SessionHandle,
} from "../../../actors/export/export_table.ts";
import type { VolumePort } from "../../../volume/volume_request.ts";

const PORT: VolumePort = { submit: () => {}, writable: true };
const GATE = { port: PORT, volumes: [{ name: "data", size: 4096 }, { name: "log", size: 512 }] };

function table(elsewhere: ServedElsewhere | null = null): ExportTable {
  return new ExportTable({
    node: "alpha",
    volumes: [{ group: "db", name: "data" }, { group: "db", name: "log" }],
    servedElsewhere: () => elsewhere,
  });
}

class FakeSession implements SessionHandle {
  readonly id: number;
  readonly client = "tcp://127.0.0.1:1";
  readonly exportName = null;
  readonly requestsInFlight = 0;
  readonly closed: string[] = [];
  wakes = 0;

  constructor(id: number) {
    this.id = id;
  }
  onWritable(): void {
    this.wakes += 1;
  }
  close(reason: string): void {
    this.closed.push(reason);
  }
}

function offerOf(exports: ExportTable, name: string) {
  const found = exports.find(name);
  assert.ok(!("refused" in found), JSON.stringify(found));
  return found;
}

test("export table: an open gate offers its volumes, each with its index and size", () => {
  const exports = table();
  exports.open("db", GATE);
  assert.deepEqual(exports.list(), ["data", "log"]);
  assert.equal(offerOf(exports, "log").volume, 1);
  assert.equal(offerOf(exports, "log").size, 512);
});

test("export table: a volume served elsewhere is refused with who serves it and how to get there", () => {
  const refused = table({ node: "beta", uris: ["nbd://127.0.0.1:10802/data"] }).find("data");
  assert.deepEqual(refused, {
    refused: "policy",
    message: "volume data is served by beta: nbd://127.0.0.1:10802/data",
  });
});

test("export table: without a source the refusal says so and what to do", () => {
  const refused = table().find("data");
  assert.match("message" in refused ? refused.message : "", /no source.*try: holdfast status/);
});

test("export table: the default export is the only volume, and among several none", () => {
  const one = new ExportTable({
    node: "alpha",
    volumes: [{ group: "db", name: "data" }],
    servedElsewhere: () => null,
  });
  one.open("db", GATE);
  assert.equal(offerOf(one, "").name, "data");
  const several = table().find("");
  assert.equal("refused" in several ? several.refused : "", "unknown");
  assert.match("message" in several ? several.message : "", /data, log/);
});

test("export table: an unknown name is refused with the names there are", () => {
  const refused = table().find("x");
  assert.match("message" in refused ? refused.message : "", /no volume "x".*data, log/);
});

test("export table: a gate that closes closes every session of its group, and no other", () => {
  const exports = table();
  exports.open("db", GATE);
  const serving = new FakeSession(1);
  const shaking = new FakeSession(2);
  exports.began(serving);
  exports.began(shaking);
  assert.equal(exports.serves(serving, offerOf(exports, "data")), true);
  exports.close("db", "demoted");
  assert.deepEqual(serving.closed, ["demoted"]);
  assert.deepEqual(shaking.closed, []);
});

test("export table: an offer of a gate that has closed since is worth nothing (I1)", () => {
  const exports = table();
  exports.open("db", GATE);
  const offer = offerOf(exports, "data");
  exports.close("db", "demoted");
  const session = new FakeSession(1);
  exports.began(session);
  assert.equal(exports.serves(session, offer), false);
  exports.open("db", { ...GATE, port: { ...PORT } });
  assert.equal(exports.serves(session, offer), false);
});

test("export table: room in the port wakes the sessions of the group", () => {
  const exports = table();
  exports.open("db", GATE);
  const session = new FakeSession(1);
  exports.began(session);
  exports.serves(session, offerOf(exports, "data"));
  exports.writable("db");
  assert.equal(session.wakes, 1);
  exports.ended(1);
  exports.writable("db");
  assert.equal(session.wakes, 1);
});

test("export table: a node that stops refuses newcomers as shutting down", () => {
  const exports = table();
  exports.open("db", GATE);
  exports.stopping();
  const refused = exports.find("data");
  assert.equal("refused" in refused ? refused.refused : "", "shutdown");
});
