/**
 * The page's way to the cluster: whichever node answers.
 *
 * The page came from one node and outlives it: every answer names the doors of all nodes, and when the present one
 * falls silent the next is asked. A question that changes something is never asked twice: it may have been heard.
 */

const ANSWER_MS = 4_000;
const COMMAND_MS = 60_000;

const home = location.origin;
const doors = [home];
let at = 0;

/** The door in use, and whether it is the one that the page came from. */
export function doorInUse() {
  return { address: doors[at], isHome: doors[at] === home };
}

/** From a cluster report: the other nodes' doors. */
export function learnDoors(addresses) {
  for (const address of addresses) {
    if (address !== null && !doors.some((known) => samePort(known, address))) doors.push(address);
  }
}

/** The JSON of the first door that answers; throws when none does. */
export async function get(path) {
  let last;
  for (let tried = 0; tried < doors.length; tried += 1) {
    const door = doors[at];
    try {
      const response = await fetch(door + path, {
        signal: AbortSignal.timeout(ANSWER_MS),
        cache: "no-store",
        credentials: "omit",
      });
      const value = await response.json();
      if (!response.ok) throw new Refusal(value.detail ?? `status ${response.status}`, response.status);
      return value;
    } catch (error) {
      // A refusal is an answer: another node would say the same.
      if (error instanceof Refusal) throw error;
      last = error;
      if (doors[at] === door) at = (at + 1) % doors.length;
    }
  }
  throw last ?? new Error("no node answers");
}

export async function post(path, body) {
  const response = await fetch(doors[at] + path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-holdfast-door": "dashboard" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(COMMAND_MS),
    credentials: "omit",
  });
  const value = await response.json();
  if (!response.ok) throw new Refusal(value.detail ?? `status ${response.status}`, response.status);
  return value;
}

export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

function samePort(a, b) {
  return new URL(a).port === new URL(b).port && loopback(new URL(a)) === loopback(new URL(b));
}

function loopback(url) {
  return /^(localhost|127\.|\[::1\])/.test(url.hostname) ? "loopback" : url.hostname;
}
