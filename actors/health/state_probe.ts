/**
 * A tiny write and flush on the disk of the state directory, where the votes lie: a voter whose disk hangs would
 * hold up every promotion without anybody knowing why. The file keeps its size and place, so that no full disk and
 * no journal of a file system is in the way.
 */
import type { BlockDevice, DiskOutcome } from "../../volume/block_device.ts";
import type { DeviceOpener } from "../../volume/device_opener.ts";
import { OpenFailure } from "../../volume/open_failure.ts";

const PROBE_BYTES = 4096;

export function stateProbe(options: {
  readonly opener: DeviceOpener;
  readonly file: string;
}): { readonly name: string; run(): Promise<DiskOutcome> } {
  let device: BlockDevice | null = null;
  let runs = 0;
  return {
    name: options.file,
    run: async () => {
      if (device === null) {
        const opened = await options.opener.open(options.file, {
          size: PROBE_BYTES,
          create: "allocated",
          exclusive: false,
        });
        if (opened instanceof OpenFailure) return { kind: "io_error", detail: opened.toString() };
        device = opened.device;
      }
      runs += 1;
      const outcome = await device.write(0, new Uint8Array(PROBE_BYTES).fill(runs % 256)) ??
        await device.flush();
      if (outcome !== null) {
        // A device that failed once fails for ever (rule 7 of §4.3); the next probe opens the file anew.
        await device.close();
        device = null;
      }
      return outcome;
    },
  };
}
