/**
 * A device opener turns a path into a block device. Files and simulated disks have one each, so that whatever is
 * durable (superblocks, intent logs, bitmaps, votes) is opened by the same code in production and in the simulator,
 * where the disks outlive the "processes" that use them.
 *
 * Opening a path again in the same process takes it over: the device opened before answers `closed` from then on.
 * An actor that was killed cannot close its files; its next incarnation must not wait for it, and nothing that the
 * dead one still has in flight may reach the disk behind the back of the living.
 */
import type { BlockDevice } from "./block_device.ts";
import type { OpenFailure } from "./open_failure.ts";

export interface DeviceOpenOptions {
  /** Bytes the device must have. A file that is created gets exactly this; an existing one must have at least this. */
  readonly size: number;
  /**
   * `never`: a missing file is a failure. `sparse`: it is created with its folder, all holes, made stable before the
   * answer. `allocated`: likewise, but filled with zeros that take their space now, for files whose later writes must
   * not meet a full disk.
   */
  readonly create: "never" | "sparse" | "allocated";
  /** Keeps every other process out until closed (0010). */
  readonly exclusive: boolean;
}

export interface OpenedDevice {
  readonly device: BlockDevice;
  /** The file was not there before: it is all zero. */
  readonly created: boolean;
  /** A raw device: it has its size from elsewhere, and may be larger than asked for. */
  readonly raw: boolean;
}

export interface DeviceOpener {
  open(path: string, options: DeviceOpenOptions): Promise<OpenedDevice | OpenFailure>;
}
