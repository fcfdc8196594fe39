/**
 * What every block device promises, whatever it is made of. Each sibling's test calls this.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BlockDevice } from "../../volume/block_device.ts";

export interface SuiteSubject {
  readonly name: string;
  /** A fresh device of that size, all zero. */
  open(size: number): Promise<BlockDevice>;
  /** Whether holes are reported. */
  readonly sparse: boolean;
}

const BEYOND_32_BITS = 5 * 2 ** 30;

export function blockDeviceSuite(subject: SuiteSubject): void {
  const claim = (text: string, body: (device: BlockDevice) => Promise<void>, size = BEYOND_32_BITS): void => {
    test(`${subject.name}: ${text}`, async () => {
      const device = await subject.open(size);
      try {
        await body(device);
      } finally {
        await device.close();
      }
    });
  };

  claim("what was written is read, at any alignment and beyond 2^32 bytes", async (device) => {
    for (
      const offset of [0, 1, 511, 513, 4095, 65_537, 2 ** 32 - 3, 2 ** 32 + 12_345, BEYOND_32_BITS - 700]
    ) {
      const bytes = pattern(700, offset);
      assert.equal(await device.write(offset, bytes), null);
      assert.deepEqual(await readBack(device, offset, 700), bytes);
    }
    assert.deepEqual(await readBack(device, 2 ** 32 - 3, 3), pattern(700, 2 ** 32 - 3).subarray(0, 3));
  });

  claim("what was never written reads as zeros", async (device) => {
    assert.deepEqual(await readBack(device, 2 ** 32 - 10, 5000), new Uint8Array(5000));
  });

  claim("large reads and writes are whole", async (device) => {
    const bytes = pattern(3 * 2 ** 20 + 17, 7);
    assert.equal(await device.write(4_000_001, bytes), null);
    assert.deepEqual(await readBack(device, 4_000_001, bytes.length), bytes);
  });

  claim("zeroing, punched or not, zeroes the range and nothing beside it", async (device) => {
    for (const punch of [false, true]) {
      const bytes = pattern(3 * 2 ** 20, 3);
      assert.equal(await device.write(1000, bytes), null);
      assert.equal(await device.writeZeroes(5001, 2 * 2 ** 20, { punch }), null);
      const expected = bytes.slice();
      expected.fill(0, 4001, 4001 + 2 * 2 ** 20);
      assert.deepEqual(await readBack(device, 1000, bytes.length), expected);
    }
  });

  claim(
    "extents cover the asked range in order and without gaps, and no written byte is in a hole",
    async (device) => {
      assert.equal(await device.write(2 ** 20, pattern(65_536, 1)), null);
      assert.equal(await device.write(2 ** 32 + 2 ** 20, pattern(65_536, 2)), null);
      const extents = await device.extents(4096, BEYOND_32_BITS - 4096);
      let at = 4096;
      for (const extent of extents) {
        assert.equal(extent.offset, at);
        assert.ok(extent.length > 0);
        at += extent.length;
      }
      assert.equal(at, BEYOND_32_BITS);
      const isHole = (offset: number): boolean =>
        extents.some((extent) =>
          extent.hole && extent.offset <= offset && offset < extent.offset + extent.length
        );
      assert.ok(!isHole(2 ** 20) && !isHole(2 ** 20 + 65_535) && !isHole(2 ** 32 + 2 ** 20));
      if (subject.sparse) assert.ok(isHole(2 ** 31) && isHole(BEYOND_32_BITS - 1));
    },
  );

  claim("a punched range becomes a hole where holes are reported", async (device) => {
    assert.equal(await device.write(0, pattern(2 ** 20, 1)), null);
    assert.equal(await device.writeZeroes(0, 2 ** 20, { punch: true }), null);
    const extents = await device.extents(0, 2 ** 20);
    if (subject.sparse) assert.deepEqual(extents, [{ offset: 0, length: 2 ** 20, hole: true }]);
  });

  claim("an operation outside the device is refused and changes nothing", async (device) => {
    const edges: [number, number][] = [[4096, 1], [4000, 97], [-1, 1], [2 ** 53, 1], [0.5, 1]];
    for (const [offset, length] of edges) {
      assert.equal((await device.read(offset, new Uint8Array(length)))?.kind, "out_of_range", `${offset}`);
      assert.equal((await device.write(offset, new Uint8Array(length)))?.kind, "out_of_range");
      assert.equal((await device.writeZeroes(offset, length, { punch: true }))?.kind, "out_of_range");
    }
    assert.equal(await device.read(4096, new Uint8Array(0)), null);
    assert.equal(await device.write(4096, new Uint8Array(0)), null);
    assert.equal(await device.writeZeroes(4096, 0, { punch: false }), null);
  }, 4096);

  claim("a flush answers later, and many at once all answer", async (device) => {
    await device.write(0, pattern(100, 1));
    let turnEnded = false;
    const flushes = Array.from({ length: 20 }, () => device.flush().then((outcome) => [outcome, turnEnded]));
    turnEnded = true;
    for (const [outcome, later] of await Promise.all(flushes)) {
      assert.deepEqual([outcome, later], [null, true]);
    }
  });

  claim("after close every operation answers closed, and closing again is harmless", async (device) => {
    const running = device.flush();
    await device.close();
    await device.close();
    await running;
    assert.equal((await device.read(0, new Uint8Array(1)))?.kind, "closed");
    assert.equal((await device.write(0, new Uint8Array(1)))?.kind, "closed");
    assert.equal((await device.writeZeroes(0, 1, { punch: true }))?.kind, "closed");
    assert.equal((await device.flush())?.kind, "closed");
    assert.deepEqual(await device.extents(0, 100), []);
  });
}

/** Bytes that differ from place to place and from seed to seed, none of them zero. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 1) bytes[i] = 1 + (i * 7 + seed * 13 + (i >>> 8)) % 255;
  return bytes;
}

export async function readBack(device: BlockDevice, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  assert.equal(await device.read(offset, bytes), null);
  return bytes;
}
