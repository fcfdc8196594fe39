/** Pure: where a volume of a node is served, as clients type it. */
import { isAddressRefusal, parseAddress } from "../../transports/address.ts";

/** `nbd://127.0.0.1:10801/data`, `nbd+unix:///data?socket=/run/alpha-nbd.sock`. */
export function nbdUri(address: string, volume: string): string | null {
  const parsed = parseAddress(address);
  if (isAddressRefusal(parsed)) return null;
  const name = encodeURIComponent(volume);
  switch (parsed.scheme) {
    case "tcp": {
      const host = parsed.host.includes(":") ? `[${parsed.host}]` : parsed.host;
      return `nbd://${host}:${parsed.port}/${name}`;
    }
    case "unix":
      return `nbd+unix:///${name}?socket=${encodeURIComponent(parsed.path).replaceAll("%2F", "/")}`;
    case "tls":
      return null;
    case "memory":
      return `memory://${parsed.name}/${name}`;
  }
}

export function nbdUris(addresses: readonly string[], volume: string): readonly string[] {
  return addresses.flatMap((address) => nbdUri(address, volume) ?? []);
}
