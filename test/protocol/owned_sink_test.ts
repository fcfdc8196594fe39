/** A channel ends at the first frame that finds its owner dead. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ownedSink } from "../../protocol/owned_sink.ts";

test("owned sink: while its owner lives everything is handed on; the first frame after its death ends the channel", () => {
  for (const arrives of ["frame", "message"] as const) {
    const heard: string[] = [];
    const destroyed: string[] = [];
    let alive = true;
    const sink = ownedSink({ destroy: (reason) => void destroyed.push(reason) }, {
      guard: (work) => (...args) => {
        if (alive) work(...args);
      },
      sink: {
        frame: () => void heard.push("frame"),
        message: () => void heard.push("message"),
        drained: () => void heard.push("drained"),
        ended: () => void heard.push("ended"),
      },
    });
    sink[arrives]({} as never);
    sink.drained();
    assert.deepEqual([heard, destroyed], [[arrives, "drained"], []]);
    alive = false;
    sink.drained();
    assert.equal(destroyed.length, 0);
    sink[arrives]({} as never);
    assert.deepEqual(destroyed, ["whoever held this end of the connection is gone"]);
    sink.ended({ kind: "closed_here", detail: "" });
    assert.deepEqual(heard, [arrives, "drained"]);
  }
});
