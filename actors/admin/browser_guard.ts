/**
 * Pure: what a browser may do at this door, by what it says of itself.
 *
 * A browser carries requests of any page it has open, and tells in `Origin` whose they are. Programs send none and are
 * let through: whoever runs one here could do everything anyway. Two kinds of pages are ours: the one that this node
 * served, and the ones of the cluster's other nodes, which go on reading here when their own node has died. What
 * changes anything needs besides a header that no foreign page can send without asking first, and the asking is
 * answered for our pages alone.
 */

/** Sent by our page with everything that changes something. */
export const DOOR_HEADER = "x-holdfast-door";

export type BrowserVerdict =
  /** `allowOrigin`: to be named in the answer, so that the browser shows it to that page. */
  | { readonly kind: "admit"; readonly allowOrigin: string | null }
  | { readonly kind: "refuse"; readonly title: string; readonly remedy: string };

export interface BrowserRequest {
  readonly method: string;
  readonly origin: string | null;
  /** `Sec-Fetch-Site`; null where the client is no browser, or an old one. */
  readonly site: string | null;
  readonly doorHeader: string | null;
  readonly host: string;
}

const LOOPBACK_ORIGIN = /^http:\/\/(localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::(\d{1,5}))?$/i;

/** @param clusterOrigins the doors of all nodes, as `http://127.0.0.1:7481` */
export function judgeBrowser(request: BrowserRequest, clusterOrigins: readonly string[]): BrowserVerdict {
  const { method, origin, site, doorHeader, host } = request;
  const reading = method === "GET" || method === "HEAD" || method === "OPTIONS";
  if (origin === null) {
    if (reading || site === null) return { kind: "admit", allowOrigin: null };
    // A browser names the origin of whatever changes something; one that does not is not to be trusted with it.
    return refusal("a browser that does not say whose page it shows");
  }
  const own = sameDoor(origin, `http://${host}`);
  if (!own && !clusterOrigins.some((each) => sameDoor(origin, each))) {
    // A foreign page may send a GET, and reads nothing: its browser shows it no answer without this permission.
    return reading && method !== "OPTIONS"
      ? { kind: "admit", allowOrigin: null }
      : refusal(`the page of ${origin.slice(0, 100)} is none of this cluster's`);
  }
  if (!reading && doorHeader === null) return refusal(`the header ${DOOR_HEADER} is missing`);
  return { kind: "admit", allowOrigin: own ? null : origin };
}

function refusal(title: string): BrowserVerdict {
  return { kind: "refuse", title, remedy: "the dashboard of a node, or holdfast on the command line" };
}

/** Loopback has several names; the port tells the doors apart. */
function sameDoor(a: string, b: string): boolean {
  if (a === b) return true;
  const [first, second] = [LOOPBACK_ORIGIN.exec(a), LOOPBACK_ORIGIN.exec(b)];
  return first !== null && second !== null && first[2] === second[2];
}
