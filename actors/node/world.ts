/**
 * The world a node stands in: everything that has a simulated sibling. `start.ts` makes the real one; the simulator
 * hands in a virtual clock, a simulated network and disks whose caches a crash can lose, and the same node runs on it.
 */
import type { ActorSystem, Crash } from "../../runtime/mod.ts";
import type { TransportTable } from "../../transports/schemes.ts";
import type { DeviceOpener } from "../../volume/device_opener.ts";
import type { GroupStore } from "../../volume/group_store.ts";
import type { GroupStoreOptions } from "../../volume/open_group_store.ts";
import type { HttpHandler } from "../admin/http_app.ts";
import type { DoorAddress, DoorOutcome } from "../admin/http_server.ts";
import type { ReplDoorOutcome } from "../admin/repl_door.ts";
import type { ReplSession } from "../admin/repl_session.ts";
import type { EventFiles } from "../events/event_files.ts";

export interface NodeWorld {
  /** One per node. Made with `crashes.report` as its `onCrash`. */
  readonly system: ActorSystem;
  readonly crashes: CrashFeed;
  readonly transports: TransportTable;
  /** Disks, and the votes and the probe in the state directory. */
  readonly opener: DeviceOpener;
  readonly eventFiles: EventFiles;
  /** Where votes and the probe lie. */
  readonly stateDir: string;
  /** `null`: no HTTP door; the admin actor is asked by messages. */
  readonly openHttpDoors:
    | ((handler: HttpHandler, addresses: readonly DoorAddress[]) => Promise<DoorOutcome>)
    | null;
  /** The shell's socket; a node without it is attached to by nobody. */
  readonly openReplDoor?: (path: string, attach: () => ReplSession) => Promise<ReplDoorOutcome>;
  /** The simulator looks at the marks of a replica through it; a real node has nobody who does. */
  readonly storeOpened?: (group: string, store: GroupStore) => void;
  /** Small regions and few hot ones, so that a small simulated volume has what a large one has. Default: by size. */
  readonly storeGeometry?: Pick<GroupStoreOptions, "regionBytes" | "hotRegionBytes" | "hotCapacity">;
}

/** Every abnormal end of an actor, for the event history. A system is made before the node that listens. */
export class CrashFeed {
  #listener: ((crash: Crash) => void) | null = null;

  readonly report = (crash: Crash): void => this.#listener?.(crash);

  listen(listener: (crash: Crash) => void): void {
    this.#listener = listener;
  }
}
