/**
 * Pure: addresses as people write them, `tcp://127.0.0.1:7401`, `tls://[::1]:7401`, `unix:path/to.sock`,
 * `memory://alpha`.
 *
 * The scheme decides the transport. There are no defaults for host or port, because an address with half of it
 * guessed is how a node ends up listening where nobody looks. `URL` was rejected as the parser: it drops default
 * ports, rewrites hosts (`0x7f.1` becomes `127.0.0.1`) and has no idea of `unix:`.
 */

export interface TcpAddress {
  readonly scheme: "tcp";
  /** A name, an IPv4 address, or an IPv6 address without its brackets. */
  readonly host: string;
  /** 0–65,535; 0 lets the system choose and is for listening only. */
  readonly port: number;
}

/** TCP with a certificate shown by each side (tls.ts). */
export interface TlsAddress {
  readonly scheme: "tls";
  readonly host: string;
  readonly port: number;
}

export interface UnixAddress {
  readonly scheme: "unix";
  readonly path: string;
}

/** A named endpoint of the simulated network. */
export interface MemoryAddress {
  readonly scheme: "memory";
  readonly name: string;
}

export type TransportAddress = TcpAddress | TlsAddress | UnixAddress | MemoryAddress;

/** `message` is for people: "Cannot use address …: … (try: …)". */
export interface AddressRefusal {
  readonly kind: "address_refused";
  readonly message: string;
}

/** The kernel's `sun_path` holds 108 bytes with its final zero. */
export const UNIX_PATH_BYTES_MAX = 107;

const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const IPV6 = /^[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?$/;
const MEMORY_NAME = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;
const LOOPBACK_IPV4 = /^127(\.\d{1,3}){3}$/;

/** An address, or a refusal that names what is wrong and how to write it. */
export function parseAddress(text: string): TransportAddress | AddressRefusal {
  if (text.startsWith("tcp://")) return parseHostAndPort(text, "tcp");
  if (text.startsWith("tls://")) return parseHostAndPort(text, "tls");
  if (text.startsWith("unix:")) return parseUnix(text, text.slice("unix:".length));
  if (text.startsWith("memory://")) return parseMemory(text, text.slice("memory://".length));
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(text)?.[1];
  return scheme === undefined || /^[^:]+:\d+$/.test(text)
    ? refusal(text, "it has no scheme", `tcp://${text === "" ? "127.0.0.1:7401" : text}`)
    : refusal(text, `there is no transport "${scheme}"`, "tcp://127.0.0.1:7401 or unix:path.sock");
}

/** The address as `parseAddress` reads it. */
export function formatAddress(address: TransportAddress): string {
  switch (address.scheme) {
    case "tcp":
    case "tls":
      return `${address.scheme}://${
        address.host.includes(":") ? `[${address.host}]` : address.host
      }:${address.port}`;
    case "unix":
      return `unix:${address.path}`;
    case "memory":
      return `memory://${address.name}`;
  }
}

/** True when what is sent there never leaves this host. A name counts only if it is `localhost`. */
export function isLoopback(address: TransportAddress): boolean {
  if (address.scheme !== "tcp" && address.scheme !== "tls") return true;
  return address.host === "localhost" || address.host === "::1" || LOOPBACK_IPV4.test(address.host);
}

export function isAddressRefusal(outcome: TransportAddress | AddressRefusal): outcome is AddressRefusal {
  return "kind" in outcome;
}

function parseHostAndPort(text: string, scheme: "tcp" | "tls"): TransportAddress | AddressRefusal {
  const rest = text.slice(`${scheme}://`.length);
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(rest);
  if (match === null) {
    return /^[^[]*:.*:/.test(rest)
      ? refusal(text, "an IPv6 address stands in brackets", `${scheme}://[::1]:7401`)
      : refusal(text, "it is not host:port", `${scheme}://127.0.0.1:7401`);
  }
  const [, bracketed, plain] = match;
  const host = bracketed ?? plain ?? "";
  const port = Number(match[3]);
  if (host === "") return refusal(text, "the host is missing", `${scheme}://127.0.0.1:${port}`);
  if (port > 65_535) {
    return refusal(text, `port ${port} is above 65535`, `${scheme}://${plain ?? `[${host}]`}:7401`);
  }
  if (bracketed !== undefined && (!IPV6.test(host) || !host.includes(":"))) {
    return refusal(text, `"${host}" is not an IPv6 address`, `${scheme}://[::1]:7401`);
  }
  if (plain !== undefined && (!HOST_NAME.test(host) || host.length > 253)) {
    return refusal(text, `"${host}" is not a host name`, `${scheme}://127.0.0.1:7401`);
  }
  if (/^\d+(\.\d+)*$/.test(host) && !isIpv4(host)) {
    return refusal(text, `"${host}" is not an IPv4 address`, `${scheme}://127.0.0.1:7401`);
  }
  return { scheme, host, port };
}

function isIpv4(host: string): boolean {
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function parseUnix(text: string, path: string): TransportAddress | AddressRefusal {
  if (path === "") return refusal(text, "the path is missing", "unix:alpha-nbd.sock");
  if (path.includes("\0")) return refusal(text, "a path holds no zero byte", "unix:alpha-nbd.sock");
  const byteLength = new TextEncoder().encode(path).length;
  if (byteLength > UNIX_PATH_BYTES_MAX) {
    return refusal(
      text,
      `the path has ${byteLength} bytes, the kernel takes ${UNIX_PATH_BYTES_MAX}`,
      "a shorter folder",
    );
  }
  return { scheme: "unix", path };
}

function parseMemory(text: string, name: string): TransportAddress | AddressRefusal {
  if (!MEMORY_NAME.test(name)) return refusal(text, `"${name}" is not an endpoint's name`, "memory://alpha");
  return { scheme: "memory", name };
}

function refusal(text: string, cause: string, remedy: string): AddressRefusal {
  return { kind: "address_refused", message: `Cannot use address "${text}": ${cause} (try: ${remedy})` };
}
