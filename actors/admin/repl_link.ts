/**
 * Calls over a byte stream between a node and the shell of a person, carried by comlink; the one file that knows it.
 *
 * Comlink was made for a page and its worker, which trust each other: whoever may send it messages may walk from any
 * object to its constructor and run what he likes. So nothing reaches it here but calls of one function, by a name
 * on the list, with plain data. Anything else ends the session. And since a call whose other end is gone would wait
 * for ever, each has a deadline, and all fail when the stream ends.
 *
 * On the stream each message is one line of JSON. Results are plain data: no proxies, no callbacks; what flows by
 * itself, as a trace does, is asked for again and again.
 */
import type { Socket } from "node:net";
import * as comlinkModule from "comlink/dist/esm/comlink.mjs";

/** What we use of it; its package describes its other build only. */
interface Comlink {
  expose(value: object, endpoint: Endpoint): void;
  wrap(endpoint: Endpoint): Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>;
}
const comlink = comlinkModule as unknown as Comlink;

interface Endpoint {
  postMessage(message: unknown): void;
  addEventListener(kind: "message", listener: (event: { readonly data: unknown }) => void): void;
  removeEventListener(kind: "message", listener: (event: { readonly data: unknown }) => void): void;
}

export type ReplCalls = Readonly<Record<string, (...args: never[]) => unknown>>;

/** A message is at most so long, in either direction. */
export const LINE_CHARACTERS_MAX = 4 * 1024 * 1024;
const ARGUMENTS_MAX = 8;
/** Answers that the other side does not read; past this its session ends. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;

/** Answers calls on the stream until it ends. The names on the list are the own properties of `calls`. */
export function serveCalls(socket: Socket, calls: ReplCalls): void {
  const allowed = Object.freeze(Object.assign(Object.create(null) as Record<string, unknown>, calls));
  const endpoint = endpointOver(socket, (message) => isPlainCall(message, calls));
  comlink.expose(allowed, endpoint);
}

export interface AttachedCalls {
  /** Rejects with the other side's error, at the deadline, or when the stream ends. */
  call(name: string, args: readonly unknown[], deadlineMs: number): Promise<unknown>;
  readonly ended: Promise<string>;
  detach(): void;
}

/** The other end of `serveCalls`. */
export function attachCalls(socket: Socket): AttachedCalls {
  const remote = comlink.wrap(endpointOver(socket, () => true));
  let end = (_cause: string) => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  socket.once("close", () => end("the node has closed the session"));
  socket.once("error", (error) => end(error.message));
  return {
    ended,
    detach: () => void socket.destroy(),
    call: (name, args, deadlineMs) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`Cannot call ${name}: no answer within ${deadlineMs} ms (try: once more)`)),
          deadlineMs,
        );
        void ended.then((cause) => reject(new Error(`Cannot call ${name}: ${cause} (try: attach again)`)));
        // Not `remote[name]`: asked for by its name, so that even "then" is a call.
        const called = remote[name];
        if (called === undefined) return reject(new Error(`Cannot call ${name}: there is no such call`));
        called(...args).then(resolve, reject).finally(() => clearTimeout(timer));
      }),
  };
}

/** Comlink's words for «apply this function to these plain values», and none of its others. */
function isPlainCall(message: unknown, calls: ReplCalls): boolean {
  if (typeof message !== "object" || message === null) return false;
  const { id, type, path, argumentList } = message as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || id.length > 100 || type !== "APPLY") return false;
  if (!Array.isArray(path) || path.length !== 1 || !Object.hasOwn(calls, String(path[0]))) return false;
  return Array.isArray(argumentList) && argumentList.length <= ARGUMENTS_MAX &&
    argumentList.every((each: unknown) => isRaw(each));
}

function isRaw(value: unknown): boolean {
  return typeof value === "object" && value !== null && (value as { type?: unknown }).type === "RAW";
}

function endpointOver(socket: Socket, admits: (message: unknown) => boolean): Endpoint {
  const listeners = new Set<(event: { readonly data: unknown }) => void>();
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    rest += text;
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_CHARACTERS_MAX) return void socket.destroy();
    for (const line of lines) {
      const message = parsed(line);
      if (message === undefined || !admits(message)) return void socket.destroy();
      for (const listener of listeners) listener({ data: message });
    }
  });
  return {
    postMessage: (message) => {
      if (socket.writableLength > UNREAD_BYTES_MAX) return void socket.destroy();
      if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`);
    },
    addEventListener: (_kind, listener) => void listeners.add(listener),
    removeEventListener: (_kind, listener) => void listeners.delete(listener),
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
