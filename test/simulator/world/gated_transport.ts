/**
 * The network as one process sees it: what the kernel brings while the process is stopped waits in the kernel, and
 * nothing of it is brought to a process that is gone.
 */
import type { ByteStream, StreamEnd, StreamReceiver } from "../../../runtime/byte_stream.ts";
import { isStreamEnd, type Transport } from "../../../transports/transport.ts";
import type { ProcessTime } from "./process_time.ts";
import type { Simulation } from "./simulation.ts";

/** What a process that is gone is told. */
const NEVER: Promise<never> = new Promise(() => {});

export function gatedTransport(
  transport: Transport,
  { time, simulation }: { readonly time: ProcessTime; readonly simulation: Simulation },
): Transport {
  return {
    scheme: transport.scheme,
    traits: transport.traits,
    listen: (address, onStream, options) => {
      if (time.gone) return NEVER;
      simulation.promised();
      return transport.listen(
        address,
        (stream) => time.run(() => onStream(gatedStream(stream, time))),
        options,
      );
    },
    connect: (address, options) =>
      new Promise((resolve) => {
        if (time.gone) return;
        simulation.promised();
        void transport.connect(address, options).then((outcome: ByteStream | StreamEnd) => {
          simulation.promised();
          time.run(() => {
            simulation.promised();
            resolve(isStreamEnd(outcome) ? outcome : gatedStream(outcome, time));
          });
        });
        // The answer comes out of the network's own timers: it is a promise of the world each time.
        simulation.promised();
      }),
  };
}

function gatedStream(stream: ByteStream, time: ProcessTime): ByteStream {
  return {
    get remoteAddress() {
      return stream.remoteAddress;
    },
    get queuedBytes() {
      return stream.queuedBytes;
    },
    start: (receiver) => stream.start(gatedReceiver(receiver, { stream, time })),
    send: (bytes, released) =>
      stream.send(bytes, released === undefined ? undefined : () => time.run(released)),
    resume: () => stream.resume(),
    end: () => stream.end(),
    destroy: (reason) => stream.destroy(reason),
  };
}

function gatedReceiver(
  receiver: StreamReceiver,
  { stream, time }: { readonly stream: ByteStream; readonly time: ProcessTime },
): StreamReceiver {
  let waits = false;
  return {
    space: () => {
      if (time.running) return receiver.space();
      if (!waits) {
        waits = true;
        time.run(() => {
          waits = false;
          stream.resume();
        });
      }
      return null;
    },
    received: (length) => receiver.received(length),
    drained: () => time.run(() => receiver.drained()),
    ended: (end) => time.run(() => receiver.ended(end)),
  };
}
