/** A writer that never gives up: it looks for whoever serves the volume and goes on there, until it is told to stop. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MIB, type TestCluster } from "./cluster.ts";
import { BLOCK_BYTES, NumberedWriter, seeded } from "./numbered_writer.ts";
import { connectToSource, type Served } from "./volume.ts";

const PROGRESS_MS = 40_000;

export class Load {
  readonly writer: NumberedWriter;
  readonly #cluster: TestCluster;
  #running: Promise<void> | null = null;
  #stopping = false;

  /** Writes to the first `bytes` of the volume. Default 4 MiB. */
  constructor(cluster: TestCluster, options: { readonly bytes?: number; readonly seed?: number } = {}) {
    this.#cluster = cluster;
    this.writer = new NumberedWriter({
      ledger: join(cluster.folder, "acknowledged"),
      blocks: (options.bytes ?? 4 * MIB) / BLOCK_BYTES,
      random: seeded(options.seed ?? 1),
    });
  }

  start(): void {
    this.#stopping = false;
    this.#running = this.#run();
    // Whoever stops or waits for progress hears of it.
    this.#running.catch(() => this.#stopping = true);
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const { client } = await connectToSource(this.#cluster);
      const stopped = await this.writer.run(client);
      if (stopped) await client.disconnect();
      else client.destroy("it broke");
    }
  }

  /** So many more writes are acknowledged. */
  async progress(count = 50): Promise<void> {
    const wanted = this.writer.acknowledgedWrites + count;
    const deadline = performance.now() + PROGRESS_MS;
    while (this.writer.acknowledgedWrites < wanted) {
      if (this.#stopping) await this.#running;
      assert.ok(
        performance.now() < deadline,
        `${count} writes were not acknowledged within ${PROGRESS_MS} ms`,
      );
      await delay(5);
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.writer.stop();
    await this.#running;
  }

  /** Everything acknowledged is there, read at whoever serves; answers a client there. */
  async verify(): Promise<Served> {
    const served = await connectToSource(this.#cluster);
    await this.writer.verify(served.client, "acknowledged");
    return served;
  }

  /** Stopped, verified, healed, equal. */
  async finish(): Promise<void> {
    await this.stop();
    const { client } = await this.verify();
    await this.#cluster.healthy();
    await this.#cluster.assertIdentical();
    await client.disconnect();
    this.writer.close();
  }
}
