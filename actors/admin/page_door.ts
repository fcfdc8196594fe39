/**
 * The dashboard's files in front of the admin door: a filter around its handler, which stays ignorant of pages.
 *
 * The page gets everything from this very node and nothing from anywhere else, and says so in its policy: no script,
 * style or picture of another origin, no inline script, no frame around it. Only its questions may go to other
 * loopback doors: those of the other nodes, for when this one dies.
 */
import type { HttpHandler } from "./http_app.ts";

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Of its contents; a browser asks with it whether its copy is still right. */
  readonly etag: string;
}

/** By path: `/`, `/page/app.js`. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self' http://127.0.0.1:* http://localhost:* http://[::1]:*",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The door, with the page at its root. */
export function withPage(handler: HttpHandler, files: PageFiles): HttpHandler {
  return (request) => {
    const file = files.get(new URL(request.url).pathname);
    if (file === undefined || (request.method !== "GET" && request.method !== "HEAD")) {
      return handler(request);
    }
    const headers = {
      "content-type": file.type,
      "content-security-policy": POLICY,
      "cache-control": "no-cache",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      etag: file.etag,
    };
    if (request.headers.get("if-none-match") === file.etag) {
      return new Response(null, { status: 304, headers });
    }
    // Copied: a response may own what it sends.
    const body = request.method === "HEAD" ? null : file.bytes.slice();
    return new Response(body, { status: 200, headers });
  };
}
