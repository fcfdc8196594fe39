/** Addresses: what is read is written back the same, and what is wrong is named with a remedy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, isAddressRefusal, isLoopback, parseAddress } from "../../transports/address.ts";

const GOOD: readonly { text: string; loopback: boolean }[] = [
  { text: "tcp://127.0.0.1:7401", loopback: true },
  { text: "tcp://127.9.9.9:1", loopback: true },
  { text: "tcp://localhost:7401", loopback: true },
  { text: "tcp://[::1]:7401", loopback: true },
  { text: "tcp://[fe80::1%eth0]:7401", loopback: false },
  { text: "tcp://0.0.0.0:0", loopback: false },
  { text: "tcp://[::]:7401", loopback: false },
  { text: "tcp://alpha.example.org:65535", loopback: false },
  { text: "tcp://127.0.0.1.example.org:1", loopback: false },
  { text: "tls://10.0.0.3:7401", loopback: false },
  { text: "tls://[::1]:7401", loopback: true },
  { text: "unix:alpha-nbd.sock", loopback: true },
  { text: "unix:/run/holdfast/a b.sock", loopback: true },
  { text: "memory://alpha", loopback: true },
  { text: "memory://alpha/data", loopback: true },
];

const BAD: readonly { text: string; says: RegExp }[] = [
  { text: "", says: /no scheme \(try: tcp:\/\/127\.0\.0\.1:7401\)/ },
  { text: "127.0.0.1:7401", says: /no scheme \(try: tcp:\/\/127\.0\.0\.1:7401\)/ },
  { text: "alpha:7401", says: /no scheme \(try: tcp:\/\/alpha:7401\)/ },
  { text: "http://alpha:80", says: /no transport "http"/ },
  { text: "tcp://alpha", says: /not host:port/ },
  { text: "tcp://:7401", says: /host is missing/ },
  { text: "tcp://alpha:70000", says: /port 70000 is above 65535 \(try: tcp:\/\/alpha:7401\)/ },
  { text: "tcp://::1:7401", says: /IPv6 address stands in brackets/ },
  { text: "tcp://[nonsense]:7401", says: /"nonsense" is not an IPv6 address/ },
  { text: "tcp://-bad-:7401", says: /not a host name/ },
  { text: "tcp://300.1.1.1:7401", says: /not an IPv4 address/ },
  { text: "tcp://127.1:7401", says: /not an IPv4 address/ },
  { text: "tcp://127.0.0.1:7401/path", says: /not host:port/ },
  { text: "tls://alpha", says: /not host:port \(try: tls:/ },
  { text: "unix:", says: /path is missing/ },
  { text: "unix:a\0b", says: /zero byte/ },
  { text: `unix:/${"x".repeat(107)}`, says: /108 bytes, the kernel takes 107/ },
  { text: "memory://", says: /not an endpoint's name/ },
];

test("address: every good form is read and written back unchanged", () => {
  for (const { text, loopback } of GOOD) {
    const address = parseAddress(text);
    assert.ok(!isAddressRefusal(address), text);
    assert.equal(formatAddress(address), text);
    assert.equal(isLoopback(address), loopback, text);
  }
});

test("address: every bad form is refused with its text, the cause and a remedy", () => {
  for (const { text, says } of BAD) {
    const refusal = parseAddress(text);
    assert.ok(isAddressRefusal(refusal), text);
    assert.ok(refusal.message.startsWith(`Cannot use address "${text}": `), refusal.message);
    assert.match(refusal.message, says);
    assert.match(refusal.message, /\(try: .+\)$/);
  }
});
