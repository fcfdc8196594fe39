/**
 * Listening on all addresses of one kind, through whatever transports they name: all of them or none.
 *
 * A door outlives the actor that opened it when that actor is killed: nobody closes sockets for the dead. So a door
 * remembers what is open, and opening it again closes that first.
 */
import type { ByteStream } from "../../runtime/mod.ts";
import { isAddressRefusal, parseAddress } from "../../transports/address.ts";
import { transportOf, type TransportTable } from "../../transports/schemes.ts";
import { isListenFailure, type Listener } from "../../transports/transport.ts";

export type DoorOpened =
  | { readonly ok: true; readonly addresses: readonly string[]; readonly close: () => void }
  | { readonly ok: false; readonly detail: string };

export interface DoorOptions {
  readonly addresses: readonly string[];
  readonly transports: TransportTable;
  /** Something is wrong with accepting; the door stays open. */
  readonly onTrouble: (detail: string) => void;
}

export class Door {
  readonly #options: DoorOptions;
  #listeners: Listener[] = [];

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** In force now, with real ports. */
  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.address);
  }

  /** `take` answers false for a stream that nobody wants: it is closed here. Never rejects. */
  async open(take: (stream: ByteStream) => boolean): Promise<DoorOpened> {
    await this.close();
    const onStream = (stream: ByteStream) => {
      if (!take(stream)) stream.destroy("nobody is there to serve it");
    };
    const { transports, onTrouble } = this.#options;
    for (const text of this.#options.addresses) {
      const address = parseAddress(text);
      const transport = isAddressRefusal(address) ? undefined : transportOf(address, transports);
      if (isAddressRefusal(address) || transport === undefined) {
        await this.close();
        const detail = isAddressRefusal(address)
          ? address.message
          : `Cannot listen on ${text}: no transport has its scheme`;
        return { ok: false, detail };
      }
      const listener = await transport.listen(address, onStream, { onTrouble });
      if (isListenFailure(listener)) {
        await this.close();
        return { ok: false, detail: listener.detail };
      }
      this.#listeners.push(listener);
    }
    return { ok: true, addresses: this.addresses, close: () => void this.close() };
  }

  async close(): Promise<void> {
    const listeners = this.#listeners;
    this.#listeners = [];
    await Promise.all(listeners.map((listener) => listener.close()));
  }
}
