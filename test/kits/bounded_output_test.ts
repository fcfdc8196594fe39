import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BoundedOutput } from "../../kits/bounded_output.ts";

test("bounded output: whatever the pieces, the first and last half are kept and the gap is counted", () => {
  fc.assert(fc.property(
    fc.array(fc.string({ unit: "grapheme-ascii", maxLength: 40 }), { maxLength: 60 }),
    fc.integer({ min: 2, max: 300 }),
    (pieces, bytesMax) => {
      const output = new BoundedOutput(bytesMax);
      for (const piece of pieces) output.add(new TextEncoder().encode(piece));
      const all = pieces.join("");
      const half = Math.floor(bytesMax / 2);
      if (all.length <= 2 * half) assert.equal(output.text(), all);
      else {
        const gap = `\n… ${all.length - 2 * half} bytes left out …\n`;
        assert.equal(output.text(), all.slice(0, half) + gap + all.slice(all.length - half));
      }
    },
  ));
});

test("bounded output: letter by letter is kept within the bound too", () => {
  const output = new BoundedOutput(100);
  for (let index = 0; index < 10_000; index++) output.add(new Uint8Array([97 + (index % 26)]));
  assert.match(output.text(), /^.{50}\n… 9900 bytes left out …\n.{50}$/);
});
