/**
 * Calling another node: connect, say hello, and come back with a channel or with the reason why not.
 *
 * Both kinds of connection begin here, a peer's control connection and a leg's data connection, because the deadline
 * and the ways to fail are the same. One deadline covers both halves: an address that accepts and then says nothing
 * is as dead as one that does not answer. Never rejects.
 */
import type { Clock, SlabPool } from "../../runtime/mod.ts";
import type { FrameChannel } from "../../protocol/frame_channel.ts";
import type { Acquaintance, Introduction, Purpose } from "../../protocol/handshake.ts";
import { callOver, type HandshakeOutcome } from "../../protocol/handshake_session.ts";
import { isAddressRefusal, parseAddress } from "../../transports/address.ts";
import { transportOf, type TransportTable } from "../../transports/schemes.ts";
import { isStreamEnd } from "../../transports/transport.ts";

export interface Caller {
  readonly self: Introduction;
  readonly transports: TransportTable;
  readonly slabs: SlabPool;
  readonly clock: Clock;
  /** For one address: connecting and the handshake together. */
  readonly timeoutMs: number;
}

export type DialOutcome =
  /** The channel is paused: `receive` and `resume` begin it. */
  | { readonly ok: true; readonly channel: FrameChannel; readonly peer: Acquaintance }
  /** `refused`: somebody answered and said no. */
  | { readonly ok: false; readonly cause: string; readonly refused: boolean };

export interface Call {
  readonly node: string;
  readonly address: string;
  readonly purpose: Purpose;
}

/** Calls one address. */
export async function dial(caller: Caller, call: Call): Promise<DialOutcome> {
  const address = parseAddress(call.address);
  if (isAddressRefusal(address)) return { ok: false, cause: address.message, refused: false };
  const transport = transportOf(address, caller.transports);
  if (transport === undefined) {
    return { ok: false, cause: `${call.address}: there is no transport for it here`, refused: false };
  }
  const deadlineMs = caller.clock.now() + caller.timeoutMs;
  const stream = await transport.connect(address, { timeoutMs: caller.timeoutMs, expectedName: call.node });
  if (isStreamEnd(stream)) return { ok: false, cause: stream.detail, refused: false };
  const outcome = await new Promise<HandshakeOutcome>((resolve) => {
    const handshake = callOver(stream, {
      pool: caller.slabs,
      self: caller.self,
      purpose: call.purpose,
      expectedNode: call.node,
      onOutcome: (concluded) => {
        caller.clock.cancel(timer);
        resolve(concluded);
      },
    });
    const timer = caller.clock.after(Math.max(1, deadlineMs - caller.clock.now()), () => handshake.expire());
  });
  return judged(outcome, call);
}

/** Calls the addresses in order; the first that works. The last failure speaks for all. */
export async function dialInOrder(
  caller: Caller,
  call: { readonly node: string; readonly addresses: readonly string[]; readonly purpose: Purpose },
): Promise<DialOutcome> {
  let last: DialOutcome = { ok: false, cause: `node ${call.node} has no address`, refused: false };
  for (const address of call.addresses) {
    last = await dial(caller, { ...call, address });
    if (last.ok) return last;
  }
  return last;
}

function judged(outcome: HandshakeOutcome, call: Call): DialOutcome {
  switch (outcome.kind) {
    case "agreed":
      return { ok: true, channel: outcome.channel, peer: outcome.peer };
    case "refused_by_them":
      return { ok: false, cause: `${call.address} refused this node: ${outcome.detail}`, refused: true };
    case "refused_by_us":
      return { ok: false, cause: `${call.address}: ${outcome.refusal.detail}`, refused: true };
    case "timed_out":
      return { ok: false, cause: outcome.detail, refused: false };
    case "ended":
      return { ok: false, cause: outcome.end.detail, refused: false };
  }
}
