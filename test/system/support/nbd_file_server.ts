/**
 * A process that serves one file over NBD, for the tests with public clients and for the bench.
 *
 * `nbd_file_server.ts --listen unix:/tmp/x.sock --file disk.img --size 67108864` prints `ready ADDRESS` and ends
 * when its standard input ends. Exports: `data` (also the default one) and `locked` (read-only); `elsewhere` is refused,
 * because another node serves it.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { SlabPool } from "../../../runtime/slab.ts";
import { isAddressRefusal, parseAddress } from "../../../transports/address.ts";
import { tcpTransport } from "../../../transports/tcp.ts";
import { isListenFailure } from "../../../transports/transport.ts";
import { unixTransport } from "../../../transports/unix.ts";
import type { ExportDirectory, ExportOffer } from "../../../volume/nbd/export_directory.ts";
import { NBD_SLAB_BYTES } from "../../../volume/nbd/limits.ts";
import { serveNbdSession } from "../../../volume/nbd/session.ts";
import { FilePort } from "./nbd_file_port.ts";

const { values } = parseArgs({
  options: { listen: { type: "string" }, file: { type: "string" }, size: { type: "string" } },
});
if (values.listen === undefined || values.file === undefined || values.size === undefined) {
  console.error("Cannot serve: --listen, --file and --size are needed");
  process.exit(2);
}

const size = Number(values.size);
const offer: ExportOffer = {
  name: "data",
  description: "a file for tests",
  size,
  readOnly: false,
  volume: 0,
  port: new FilePort(values.file, size),
};
const directory: ExportDirectory = {
  list: () => ["data", "locked"],
  find(name) {
    if (name === "data" || name === "") return offer;
    if (name === "locked") return { ...offer, name: "locked", readOnly: true };
    if (name === "elsewhere") {
      return { refused: "policy", message: 'this node is not the source of "elsewhere": ask beta' };
    }
    return { refused: "unknown", message: `there is no volume "${name}"` };
  },
};

const slabs = new SlabPool({ slabBytes: NBD_SLAB_BYTES, idleMax: 16 });
const address = parseAddress(values.listen);
if (isAddressRefusal(address)) throw new Error(address.message);
const transport = address.scheme === "tcp" ? tcpTransport : unixTransport;
const listener = await transport.listen(address, (stream) => {
  serveNbdSession(stream, {
    directory,
    slabs,
    startTimer(delayMs, onElapsed) {
      const timer = setTimeout(onElapsed, delayMs);
      return () => clearTimeout(timer);
    },
    atTurnEnd: queueMicrotask,
    onEnded() {
      // A test's clients come and go; what matters is the next one.
    },
  });
});
if (isListenFailure(listener)) throw new Error(listener.detail);
console.log(`ready ${listener.address}`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
