/** What a node has served, read out of its Prometheus text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadReport } from "../../../actors/admin/load_report.ts";

const TEXT = `# HELP holdfast_io_requests_total Requests.
holdfast_io_requests_total{volume="data",op="write",result="ok"} 12
holdfast_io_requests_total{volume="data",op="write",result="error"} 1
holdfast_io_bytes_total{volume="data",op="write"} 49152
holdfast_io_duration_seconds_bucket{le="0.001",stage="total",op="write"} 7
holdfast_io_duration_seconds_bucket{le="+Inf",stage="total",op="write"} 9
holdfast_io_duration_seconds_sum{stage="total",op="write"} 0.5
holdfast_wire_bytes_total{direction="sent"} 99
other_total{volume="x"} 3
holdfast_io_bytes_total{volume="data",op="read"} NaN
`;

test("load: counters, histograms and wire bytes; what is not ours or no number is left out", () => {
  assert.deepEqual(loadReport(TEXT, { node: "alpha", atMs: 5 }), {
    node: "alpha",
    atMs: 5,
    io: [{ volume: "data", op: "write", requests: 12, errors: 1, bytes: 49152 }],
    latency: [{
      stage: "total",
      op: "write",
      buckets: [{ seconds: 0.001, count: 7 }, { seconds: null, count: 9 }],
    }],
    wireBytes: { sent: 99 },
  });
});
