/** The page as a node serves it: whole, from itself alone, and fetched once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PageFile, withPage } from "../../actors/admin/page_door.ts";
import { loadPage } from "../../dashboard/page_files.ts";

const files = loadPage();
const door = withPage(() => new Response("api", { status: 200 }), files);

function textOf(path: string): string {
  const file: PageFile | undefined = files.get(path);
  assert.ok(file !== undefined, `${path} is served`);
  return new TextDecoder().decode(file.bytes);
}

test("page: everything that it asks for is served beside it", () => {
  const index = textOf("/");
  for (const [, path] of index.matchAll(/(?:src|href)="(\/[^"]+)"/g)) textOf(path ?? "");
  for (const path of files.keys()) {
    if (!path.endsWith(".js") || path.includes("/packaged/")) continue;
    for (const [, asked] of textOf(path).matchAll(/from "\.\/([^"]+)"/g)) textOf(`/page/${asked}`);
  }
});

test("page: our own files name no other origin and need no inline script", () => {
  for (const path of files.keys()) {
    if (path.includes("/packaged/") || path.endsWith(".svg")) continue;
    assert.doesNotMatch(textOf(path), /https?:\/\/(?!\$|127|localhost)[a-z]/i, path);
  }
  assert.doesNotMatch(textOf("/"), /<script(?![^>]*src=)|\son[a-z]+=|\sstyle=/);
});

test("page: a browser that has a file is told so, and no page may frame it or add to it", async () => {
  const first = await door(new Request("http://127.0.0.1/"));
  assert.equal(first.status, 200);
  const policy = first.headers.get("content-security-policy") ?? "";
  for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy.includes(part), part);
  }
  const etag = first.headers.get("etag") ?? "";
  const again = await door(new Request("http://127.0.0.1/", { headers: { "if-none-match": etag } }));
  assert.equal(again.status, 304);
});

test("page: paths that are none of its files go on to the API, however they are written", async () => {
  for (const path of ["/api/v1/status", "/page/../../package.json", "/page/%2e%2e/page_files.ts", "/page/"]) {
    assert.equal(await (await door(new Request(`http://127.0.0.1${path}`))).text(), "api", path);
  }
  assert.equal(await (await door(new Request("http://127.0.0.1/", { method: "POST" }))).text(), "api");
});
