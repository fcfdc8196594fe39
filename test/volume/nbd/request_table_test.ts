/** The rows of the request table, and the offsets at which arithmetic goes wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COMMAND, COMMAND_FLAG, NBD_ERROR } from "../../../volume/nbd/protocol_numbers.ts";
import { COMMAND_TABLE, objectionTo, type RequestRules } from "../../../volume/nbd/request_table.ts";

const RULES: RequestRules = {
  size: 2 ** 53 - 1,
  readOnly: false,
  structuredReplies: true,
  contexts: 1,
  payloadBytesMax: 32 * 1024 * 1024,
};

interface Row {
  readonly claim: string;
  readonly header: { flags?: number; type: number; offset?: number; length?: number };
  readonly rules?: Partial<RequestRules>;
  readonly error: number | null;
}

const ROWS: readonly Row[] = [
  {
    claim: "one byte at the very end",
    header: { type: COMMAND.READ, offset: 2 ** 53 - 2, length: 1 },
    error: null,
  },
  {
    claim: "two bytes there",
    header: { type: COMMAND.READ, offset: 2 ** 53 - 2, length: 2 },
    error: NBD_ERROR.INVALID,
  },
  {
    claim: "an offset beyond 2^53",
    header: { type: COMMAND.READ, offset: -1, length: 1 },
    error: NBD_ERROR.INVALID,
  },
  {
    claim: "a write beyond 2^53",
    header: { type: COMMAND.WRITE, offset: -1, length: 1 },
    error: NBD_ERROR.NO_SPACE,
  },
  { claim: "32 MiB", header: { type: COMMAND.WRITE, length: 32 * 1024 * 1024 }, error: null },
  {
    claim: "a byte more",
    header: { type: COMMAND.WRITE, length: 32 * 1024 * 1024 + 1 },
    error: NBD_ERROR.INVALID,
  },
  {
    claim: "a byte more in one piece",
    header: { type: COMMAND.READ, flags: COMMAND_FLAG.DF, length: 33554433 },
    error: NBD_ERROR.OVERFLOW,
  },
  { claim: "4 GiB of zeroes", header: { type: COMMAND.WRITE_ZEROES, length: 2 ** 32 - 1 }, error: null },
  { claim: "4 GiB of trim", header: { type: COMMAND.TRIM, length: 2 ** 32 - 1 }, error: null },
  {
    claim: "a write to a read-only export",
    header: { type: COMMAND.WRITE, length: 1 },
    rules: { readOnly: true },
    error: NBD_ERROR.PERM,
  },
  {
    claim: "a trim of a read-only export",
    header: { type: COMMAND.TRIM, length: 1 },
    rules: { readOnly: true },
    error: NBD_ERROR.PERM,
  },
  {
    claim: "a flush of a read-only export",
    header: { type: COMMAND.FLUSH },
    rules: { readOnly: true },
    error: null,
  },
  { claim: "FUA on a read", header: { type: COMMAND.READ, flags: COMMAND_FLAG.FUA, length: 1 }, error: null },
  { claim: "FUA on a flush", header: { type: COMMAND.FLUSH, flags: COMMAND_FLAG.FUA }, error: null },
  {
    claim: "DF without structured replies",
    header: { type: COMMAND.READ, flags: COMMAND_FLAG.DF, length: 1 },
    rules: { structuredReplies: false },
    error: NBD_ERROR.INVALID,
  },
  {
    claim: "NO_HOLE on a trim",
    header: { type: COMMAND.TRIM, flags: COMMAND_FLAG.NO_HOLE, length: 1 },
    error: NBD_ERROR.INVALID,
  },
  {
    claim: "REQ_ONE on a write",
    header: { type: COMMAND.WRITE, flags: COMMAND_FLAG.REQ_ONE, length: 1 },
    error: NBD_ERROR.INVALID,
  },
  {
    claim: "block status without a context",
    header: { type: COMMAND.BLOCK_STATUS, length: 1 },
    rules: { contexts: 0 },
    error: NBD_ERROR.INVALID,
  },
  {
    claim: "block status with one",
    header: { type: COMMAND.BLOCK_STATUS, length: 2 ** 32 - 1 },
    error: null,
  },
  { claim: "a cache request of nothing", header: { type: COMMAND.CACHE }, error: NBD_ERROR.INVALID },
  { claim: "a farewell is no request", header: { type: COMMAND.DISC }, error: NBD_ERROR.INVALID },
];

for (const { claim, header, rules, error } of ROWS) {
  test(`nbd request: ${claim}: ${error === null ? "taken" : `error ${error}`}`, () => {
    const whole = { flags: 0, offset: 0, length: 0, ...header };
    assert.equal(objectionTo(whole, { ...RULES, ...rules })?.error ?? null, error);
  });
}

test("nbd request: what is taken lies inside the export and has a known command with its own flags", () => {
  const number = (max: number) => fc.oneof(fc.integer({ min: 0, max }), fc.constantFrom(0, 1, max));
  fc.assert(
    fc.property(
      fc.record({
        flags: number(0xffff),
        type: number(12),
        offset: fc.oneof(number(2 ** 21), fc.constant(-1)),
        length: number(2 ** 32 - 1),
      }),
      number(2 ** 21),
      (header, size) => {
        if (objectionTo(header, { ...RULES, size }) !== null) return;
        const row = COMMAND_TABLE[header.type];
        assert.ok(row !== undefined);
        assert.equal(header.flags & ~(row.flags | COMMAND_FLAG.FUA), 0);
        assert.ok(header.offset >= 0 && header.offset + header.length <= size);
        assert.ok(!row.payload || header.length <= RULES.payloadBytesMax);
      },
    ),
    { seed: 20261122, numRuns: 3000 },
  );
});
