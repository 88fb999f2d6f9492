/** The console's files, as plain HTTP shows them. */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import test from "ava";
import { buildIfStale } from "../../../console/web/build.ts";
import { send } from "../../support/post.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
test.before(async () => {
  await buildIfStale();
  server = await startTestServer();
  await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const HTML = "text/html,application/xhtml+xml";
const get = (path: string, headers: Record<string, string> = {}) =>
  send(server, { ":path": path, ...headers });

async function firstAssets() {
  const { text } = await get("/", { accept: HTML });
  return [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, url = ""]) => url);
}

test("a browser gets the console, a program the words that it had before", async (t) => {
  const page = await get("/", { accept: HTML });
  t.regex(String(page.headers["content-type"]), /^text\/html/);
  t.regex(page.text, /<div id="console">/);
  const words = await get("/", { accept: "*/*" });
  t.regex(String(words.headers["content-type"]), /^text\/plain/);
  t.is(words.headers.vary, "accept");
});

test("every path of the console is the same page; those of the contract and the probes are not", async (t) => {
  for (const where of ["/collectors", "/collectors/col.kzgudjlosp?tab=config", "/no/such/page"]) {
    t.regex((await get(where, { accept: HTML })).text, /<div id="console">/, where);
  }
  t.regex((await get("/collectors")).text, /nothing at this path/);
  t.is((await get("/healthz", { accept: HTML })).text.trim(), '{"status":"up"}');
  const call = await get("/lumetry.v1.ZoneService/CreateZone", { accept: HTML });
  t.is(call.status, 405);
});

test("the page runs nothing but what this server serves, and lets nobody frame it", async (t) => {
  const { headers, text } = await get("/", { accept: HTML });
  const policy = String(headers["content-security-policy"]);
  for (const rule of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "require-trusted-types-for 'script'",
  ]) {
    t.true(policy.split("; ").includes(rule), rule);
  }
  t.notRegex(policy, /unsafe|\*|https?:/);
  t.notRegex(text, /<script(?![^>]*src=)|<style| style=| on\w+=/);
  t.is(headers["x-content-type-options"], "nosniff");
  t.is(headers["x-frame-options"], "DENY");
  t.is(headers["referrer-policy"], "no-referrer");
  t.is(headers["cross-origin-opener-policy"], "same-origin");
});

test("browsers are told to come over TLS, but not for a name that a whole machine shares", async (t) => {
  const strict = "strict-transport-security";
  t.is((await get("/", { accept: HTML })).headers[strict], undefined);
  const named = await get("/", { accept: HTML, ":authority": "lumetry.example.com" });
  t.is(named.headers[strict], "max-age=31536000");
  await using plain = await startTestServer({ tls: "off" });
  const response = await fetch(plain.url, { headers: { accept: HTML } });
  t.is(response.headers.get(strict), null);
});

test("what changes has another name, so that it is kept for good; the page is asked for anew", async (t) => {
  const page = await get("/", { accept: HTML });
  t.is(page.headers["cache-control"], "no-cache");
  const again = await get("/", { accept: HTML, "if-none-match": String(page.headers.etag) });
  t.is(again.status, 304);
  t.is(again.text, "");
  const assets = await firstAssets();
  t.true(assets.length >= 2);
  for (const url of assets) {
    t.regex(url, /-[a-zA-Z0-9]{8}\.(js|css)$/);
    const { status, headers } = await get(url);
    t.is(status, 200);
    t.is(headers["cache-control"], "public, max-age=31536000, immutable");
    t.is(headers["x-content-type-options"], "nosniff");
  }
  t.is((await get("/assets/console-00000000.js", { accept: "*/*" })).status, 404);
});

test("files come compressed as the browser takes them", async (t) => {
  const [url = ""] = (await firstAssets()).filter((each) => each.endsWith(".js"));
  const plain = await get(url, { "accept-encoding": "identity" });
  t.is(plain.headers["content-encoding"], undefined);
  t.regex(String(plain.headers.vary), /accept-encoding/);
  const brotli = await get(url, { "accept-encoding": "gzip, deflate, br, zstd" });
  t.is(brotli.headers["content-encoding"], "br");
  t.deepEqual(brotliDecompressSync(brotli.body), plain.body);
  const gzip = await get(url, { "accept-encoding": "gzip;q=1.0, br;q=0" });
  t.is(gzip.headers["content-encoding"], "gzip");
  t.deepEqual(gunzipSync(gzip.body), plain.body);
  t.is((await get(url, { "accept-encoding": "identity;q=0, zstd" })).status, 406);
  const head = await send(server, { ":method": "HEAD", ":path": url, "accept-encoding": "br" });
  t.is(head.text, "");
  t.is(Number(head.headers["content-length"]), brotli.body.length);
});

test("the first load is below 250 kB, and all of the console below 500 kB", async (t) => {
  const encoding = { "accept-encoding": "br" };
  const page = await get("/", { accept: HTML, ...encoding });
  const sizes = await Promise.all(
    (await firstAssets()).map(async (url) => (await get(url, encoding)).body.length),
  );
  const first = sizes.reduce((sum, size) => sum + size, page.body.length);
  t.log(`first load: ${Math.round(first / 1000)} kB`);
  t.true(first < 250_000, `${first} bytes`);
  const folder = fileURLToPath(new URL("../../../console/web/dist/assets", import.meta.url));
  const all = readdirSync(folder)
    .filter((name) => name.endsWith(".br"))
    .reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
  t.log(`all of it: ${Math.round(all / 1000)} kB`);
  t.true(all < 500_000, `${all} bytes`);
});

test("a server that is told so serves no console", async (t) => {
  await using bare = await startTestServer({ console: false });
  const { headers } = await send(bare, { ":path": "/", accept: HTML });
  t.regex(String(headers["content-type"]), /^text\/plain/);
  t.is((await send(bare, { ":path": "/collectors", accept: HTML })).status, 404);
});
