/**
 * The sockets of the admin door: one server per address, TCP on loopback and a unix socket in the state directory.
 * The only file that knows @hono/node-server.
 *
 * Every wait of a client is bounded, and so is the number of clients. The unix socket is the node owner's alone
 * (0600): who may read the disks of the node may command it. A socket file that a dead process left is replaced; the
 * lock on the state directory has made sure that it is dead.
 */
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { HttpHandler } from "./http_app.ts";
import type { OpenDoor } from "./messages.ts";

export type DoorAddress =
  | { readonly scheme: "tcp"; readonly host: string; readonly port: number }
  | { readonly scheme: "unix"; readonly path: string };

export type DoorOutcome =
  | { readonly ok: true; readonly door: OpenDoor }
  | { readonly ok: false; readonly detail: string };

/** Clients at a time, per address. */
export const CONNECTIONS_MAX = 128;

/** Opens all addresses or none. Never rejects. */
export async function openHttpDoors(
  handler: HttpHandler,
  addresses: readonly DoorAddress[],
): Promise<DoorOutcome> {
  const servers: http.Server[] = [];
  const shown: string[] = [];
  for (const address of addresses) {
    const opened = await openOne(handler, address);
    if (!opened.ok) {
      await Promise.all(servers.map(closed));
      return opened;
    }
    servers.push(opened.server);
    shown.push(opened.shown);
  }
  return {
    ok: true,
    door: {
      addresses: shown,
      close: async () => {
        await Promise.all(servers.map(closed));
      },
    },
  };
}

function openOne(
  handler: HttpHandler,
  address: DoorAddress,
): Promise<
  { readonly ok: true; server: http.Server; shown: string } | { readonly ok: false; detail: string }
> {
  const server = http.createServer(
    { headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 5_000, maxHeaderSize: 16 * 1024 },
    getRequestListener(handler),
  );
  server.maxConnections = CONNECTIONS_MAX;
  return new Promise((resolve) => {
    server.once("error", (error) => resolve({ ok: false, detail: failure(address, error) }));
    const listening = () => {
      // From here on an error is a client's, and the server answers it.
      server.on("error", () => server.listening);
      if (address.scheme === "unix") fs.chmodSync(address.path, 0o600);
      resolve({ ok: true, server, shown: shownAs(address, server) });
    };
    if (address.scheme === "unix") {
      fs.rmSync(address.path, { force: true });
      server.listen(address.path, listening);
    } else {
      server.listen({ host: address.host, port: address.port, exclusive: true }, listening);
    }
  });
}

function closed(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function shownAs(address: DoorAddress, server: http.Server): string {
  if (address.scheme === "unix") return `unix:${address.path}`;
  const bound = server.address() as AddressInfo;
  return `http://${bound.address.includes(":") ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

function failure(address: DoorAddress, error: NodeJS.ErrnoException): string {
  const [field, where] = address.scheme === "unix"
    ? ["the admin socket", address.path]
    : ["http", `${address.host}:${address.port}`];
  if (error.code === "EADDRINUSE") {
    return `Cannot listen on ${where} (${field}): the address is in use (try: another port, or ss -ltnp shows who has it)`;
  }
  return `Cannot listen on ${where} (${field}): ${error.message} (try: an address of this host that you may use)`;
}
