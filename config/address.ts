/** Addresses as the file has them: `tcp://host:port`, `host:port`, `unix:path`, and for peers `tls://host:port`. Pure. */
import { resolve } from "node:path";
import type { Address, PeerAddress, TcpAddress, TlsAddress } from "./cluster_config.ts";

export type Parsed<A> = { readonly ok: true; readonly address: A } | {
  readonly ok: false;
  readonly message: string;
  readonly remedy: string;
};
export type ParsedAddress = Parsed<Address>;

/** Linux allows no longer path for a unix socket, its end included. */
const UNIX_PATH_BYTES_MAX = 107;
const EXAMPLES = "tcp://127.0.0.1:7401 or unix:node.sock";

/** Relative socket paths are relative to `folder`. */
export function parseAddress(text: string, options: { readonly folder: string }): ParsedAddress {
  if (text.startsWith("unix:")) return parseUnix(text, options.folder);
  const rest = text.startsWith("tcp://") ? text.slice("tcp://".length) : text;
  const scheme = /^([a-z][a-z0-9+]*):\/\//.exec(rest)?.[1];
  if (scheme !== undefined) {
    return {
      ok: false,
      message: `is ${JSON.stringify(text)}: no transport is named ${scheme}`,
      remedy: EXAMPLES,
    };
  }
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(rest);
  const port = Number(match?.[2] ?? Number.NaN);
  if (match === null || port > 65_535) {
    return {
      ok: false,
      message: `is ${JSON.stringify(text)}, which is no address with a port`,
      remedy: EXAMPLES,
    };
  }
  const host = (match[1] ?? "").replace(/^\[|\]$/g, "");
  return { ok: true, address: { scheme: "tcp", host, port, text: tcpText(host, port) } };
}

/** As `parseAddress`, and `tls://host:port`. */
export function parsePeerAddress(text: string, options: { readonly folder: string }): Parsed<PeerAddress> {
  const asTcp = text.replace(/^tls:\/\//, "tcp://");
  const parsed = parseAddress(asTcp, options);
  if (asTcp === text || !parsed.ok || parsed.address.scheme !== "tcp") return parsed;
  return { ok: true, address: securedAddress(parsed.address) };
}

/** The same place, with certificates. */
export function securedAddress({ host, port, text }: TcpAddress): TlsAddress {
  return { scheme: "tls", host, port, text: text.replace(/^tcp:/, "tls:") };
}

function parseUnix(text: string, folder: string): ParsedAddress {
  const given = text.slice("unix:".length);
  if (given === "") return { ok: false, message: "has no path after unix:", remedy: "unix:node.sock" };
  const path = resolve(folder, given);
  if (new TextEncoder().encode(path).length > UNIX_PATH_BYTES_MAX) {
    return {
      ok: false,
      message: `is the socket path ${path}, longer than the ${UNIX_PATH_BYTES_MAX} bytes that Linux allows`,
      remedy: "a shorter path, for instance under /run",
    };
  }
  return { ok: true, address: { scheme: "unix", path, text: `unix:${path}` } };
}

function tcpText(host: string, port: number): string {
  return `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** `127.0.0.1:7481` for a URL's place between `//` and the path. */
export function hostAndPort(address: TcpAddress): string {
  return tcpText(address.host, address.port).slice("tcp://".length);
}

/** True when nobody outside this machine can reach it. */
export function isLocal(address: PeerAddress): boolean {
  if (address.scheme === "unix") return true;
  return address.host === "localhost" || address.host === "::1" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address.host);
}
