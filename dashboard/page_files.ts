/**
 * The files of the dashboard, read once when a node starts.
 *
 * The page is plain modules that the browser loads as they lie here: no build step, so what is debugged is what was
 * written (docs/decisions/0050). The two packages it uses are single files and are served beside it; a node needs no
 * network to show its page, and neither does the browser.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PageFile, PageFiles } from "../actors/admin/page_door.ts";

const HERE = dirname(fileURLToPath(import.meta.url));

/** What the page uses of packages: where it asks for it, and where it lies. */
const PACKAGED: Readonly<Record<string, string>> = {
  "/page/packaged/preact.js": "htm/preact/standalone.module.js",
  "/page/packaged/uplot.js": "uplot/dist/uPlot.esm.js",
  "/page/packaged/uplot.css": "uplot/dist/uPlot.min.css",
};

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** A packaged file that is missing leaves the page without it; the node itself starts in any case. */
export function loadPage(): PageFiles {
  const files = new Map<string, PageFile>();
  const folder = join(HERE, "page");
  for (const name of readdirSync(folder)) put(files, `/page/${name}`, join(folder, name));
  const packages = join(HERE, "..", "node_modules");
  for (const [path, place] of Object.entries(PACKAGED)) {
    if (existsSync(join(packages, place))) put(files, path, join(packages, place));
  }
  const index = files.get("/page/index.html");
  if (index !== undefined) files.set("/", index);
  return files;
}

function put(files: Map<string, PageFile>, path: string, place: string): void {
  const type = TYPES[place.split(".").at(-1) ?? ""];
  if (type === undefined) return;
  const bytes = new Uint8Array(readFileSync(place));
  const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 24)}"`;
  files.set(path, { type, bytes, etag });
}
