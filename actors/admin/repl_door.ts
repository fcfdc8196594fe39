/**
 * The socket of the shell: one file beside the admin socket, its owner's alone, a session per connection.
 *
 * A socket of its own and not the HTTP one: calls go both ways for hours, and what keeps them out of a browser's
 * reach is that no browser can connect to a file at all.
 */
import fs from "node:fs";
import { createServer, type Socket } from "node:net";
import { serveCalls } from "./repl_link.ts";
import type { ReplSession } from "./repl_session.ts";

/** People at a time; one more is refused. */
export const SESSIONS_MAX = 8;

export interface ReplDoor {
  close(): Promise<void>;
}

export type ReplDoorOutcome =
  | { readonly ok: true; readonly door: ReplDoor }
  | { readonly ok: false; readonly detail: string };

/** Never rejects. A socket file that a dead process left is replaced. */
export function openReplDoor(path: string, attach: () => ReplSession): Promise<ReplDoorOutcome> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (sockets.size >= SESSIONS_MAX) return void socket.destroy();
    sockets.add(socket);
    const session = attach();
    socket.on("close", () => {
      sockets.delete(socket);
      session.end();
    });
    // A person's connection that breaks is no news: `close` follows.
    socket.on("error", () => socket.destroy());
    serveCalls(socket, session.calls);
  });
  return new Promise((resolve) => {
    server.once("error", (error) => resolve({ ok: false, detail: error.message }));
    fs.rmSync(path, { force: true });
    server.listen(path, () => {
      server.on("error", () => server.listening);
      fs.chmodSync(path, 0o600);
      resolve({
        ok: true,
        door: {
          close: () =>
            new Promise((closed) => {
              server.close(() => closed());
              for (const socket of sockets) socket.destroy();
            }),
        },
      });
    });
  });
}
