import { setTimeout as wait } from "node:timers/promises";
import test from "ava";
import { eventually } from "../../../support/eventually.ts";
import { pollOnce } from "../../../support/polling.ts";
import { startHttpsTarget, startHttpTarget, startTcpTarget } from "../../../support/target.ts";

const check = (url: string, settings = {}, http = {}, options = {}) =>
  pollOnce({ case: "httpCheck", value: { http: { url, ...http }, ...settings } }, options);

test("a check tells the status, the phases, and the days that the certificate has left", async (t) => {
  await using target = await startHttpsTarget((_, response) => response.end("all is well"), {
    daysLeft: 10,
  });
  const seen = await check(target.url, {}, { tls: { caPem: target.ca } });
  t.is(seen.failure, "");
  t.is(seen.values["http.response.status_code"], 200);
  t.is(seen.values["http.response.body.size"], 11);
  t.deepEqual(seen.phases, ["dns", "connect", "tls", "first_byte", "transfer"]);
  for (const phase of seen.phases) {
    t.true((seen.values[`http.phase.duration{phase="${phase}"}`] ?? -1) >= 0, phase);
  }
  t.is(Math.round(seen.values["tls.certificate.days_left"] ?? 0), 10);
  t.regex(seen.facts["certificate.names"] ?? "", /DNS:localhost/);
  t.is(seen.facts.address, "127.0.0.1");
  await eventually("no connection is left", () => target.connections.size === 0);
});

test("a certificate that does not hold fails the check, and the words say why", async (t) => {
  const serve = (options: { daysLeft?: number; names?: string[] }) =>
    startHttpsTarget((_, response) => response.end(), options);
  await using good = await serve({});
  await using expired = await serve({ daysLeft: -1 });
  await using other = await serve({ names: ["other.example"] });
  const trust = { tls: { caPem: good.ca } };
  t.regex((await check(good.url)).failure, /a trusted authority|authority that is not trusted/);
  t.regex((await check(expired.url, {}, trust)).failure, /its certificate has expired/);
  t.regex((await check(other.url, {}, trust)).failure, /its certificate is for another name/);
  const named = { tls: { caPem: good.ca, serverName: "other.example" } };
  t.is((await check(other.url, {}, named)).failure, "");
  const plain = good.url.replace("https:", "http:");
  t.regex(
    (await check(plain)).failure,
    /closed the connection without an answer|does not answer in HTTP/,
  );
  t.regex(
    (await check(good.url, {}, { tls: { caPem: "nonsense" } })).failure,
    /no PEM certificate/,
  );
});

test("status and body have to be as expected, by text and by expression", async (t) => {
  await using target = await startHttpTarget((request, response) => {
    response.writeHead(request.url === "/gone" ? 410 : 200).end("version 2.14.1\nready");
  });
  const status = (first: number, last = 0) => ({ expectedStatuses: [{ first, last }] });
  t.is(
    (await check(`${target.url}/gone`)).failure,
    "answered with status 410, which is not expected",
  );
  t.true((await check(`${target.url}/gone`, status(400, 499))).up);
  t.true((await check(`${target.url}/gone`, status(410))).up);
  const match = (pattern: { case: "contains" | "regex"; value: string }, absent = false) =>
    check(target.url, { bodyMatches: [{ pattern, absent }] });
  t.true((await match({ case: "contains", value: "ready" })).up);
  t.true((await match({ case: "regex", value: "^version 2\\.\\d+" })).up);
  t.is((await match({ case: "contains", value: "idle" })).failure, 'the body does not hold "idle"');
  t.is(
    (await match({ case: "regex", value: "(?i)READY$" }, true)).failure,
    "the body holds /(?i)READY$/, which it must not",
  );
  const odd = await match({ case: "regex", value: "a(" });
  t.regex(odd.failure, /the expression "a\(" cannot be read/);
  // What was measured is told even so.
  t.is(odd.values["http.response.status_code"], 200);
});

test("an expression that would keep another engine busy for years ends at once", async (t) => {
  await using target = await startHttpTarget((_, response) => response.end("a".repeat(50_000)));
  const pattern = { case: "regex" as const, value: "^(a+)+$!" };
  const seen = await check(target.url, { bodyMatches: [{ pattern }] });
  t.regex(seen.failure, /does not hold/);
});

test("redirects are followed when asked, so many at most, and secrets stay with the first host", async (t) => {
  const heard: (string | undefined)[] = [];
  await using second = await startHttpTarget((request, response) => {
    heard.push(request.headers.authorization, request.headers["x-key"] as string | undefined);
    response.end("arrived");
  });
  await using first = await startHttpTarget((request, response) => {
    if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
    else if (request.url === "/metadata") {
      response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end();
    } else if (request.url === "/odd")
      response.writeHead(302, { location: "file:///etc/passwd" }).end();
    else if (request.url === "/here") {
      heard.push(request.headers.authorization);
      response.writeHead(307, { location: `${second.url}/there` }).end();
    } else response.writeHead(301, { location: "/here" }).end();
  });
  const secrets = { bearerToken: "s3cret", headers: { "x-key": "k3y" } };
  const follow = (path: string) => check(first.url + path, {}, { mostRedirects: 3 }, { secrets });
  const seen = await follow("/");
  t.is(seen.failure, "");
  t.deepEqual(heard, ["Bearer s3cret", undefined, undefined]);
  t.is(seen.facts.url, `${second.url}/there`);
  t.regex((await follow("/loop")).failure, /redirected more than 3 times/);
  t.regex(
    (await follow("/metadata")).failure,
    /169\.254\.169\.254 is an address that is never connected to/,
  );
  t.regex((await follow("/odd")).failure, /file: is not called/);
  const unfollowed = await check(first.url, {}, {}, { secrets });
  t.is(unfollowed.values["http.response.status_code"], 301);
  t.false(unfollowed.up);
});

test("method, body, headers and basic authentication are sent as set; some headers cannot be", async (t) => {
  const heard: string[] = [];
  await using target = await startHttpTarget((request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += piece;
    });
    request.on("end", () => {
      const { host, authorization, "x-a": a, "content-length": length } = request.headers;
      heard.push([request.method, request.url, host, authorization, a, length, body].join(" "));
      response.end();
    });
  });
  const http = {
    method: 3,
    headers: { "X-A": "1", Host: "shop.example" },
    body: Buffer.from("hello"),
    username: "ann",
  };
  const seen = await check(`${target.url}/x?y=%20z`, {}, http, { secrets: { password: "pw" } });
  t.is(seen.failure, "");
  t.deepEqual(heard, [`POST /x?y=%20z shop.example Basic ${btoa("ann:pw")} 1 5 hello`]);
  const forbidden = await check(target.url, {}, { headers: { "Transfer-Encoding": "chunked" } });
  t.is(forbidden.failure, "the header transfer-encoding cannot be set: leave it out");
});

test("whoever hangs, drips, lies or floods costs the budget at most, and leaves no connection behind", async (t) => {
  const timers: NodeJS.Timeout[] = [];
  await using hanging = await startHttpTarget((_, response) => {
    timers.push(setTimeout(() => response.end(), 60_000));
  });
  await using silent = await startTcpTarget(() => {});
  await using dripping = await startHttpTarget((_, response) => {
    response.writeHead(200, { "content-length": 1_000_000 });
    timers.push(setInterval(() => response.write("x"), 20));
  });
  await using heads = await startTcpTarget((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    timers.push(setInterval(() => socket.write(`x-${Math.random()}: 1\r\n`), 1));
  });
  await using informing = await startTcpTarget((socket) => {
    timers.push(setInterval(() => socket.write("HTTP/1.1 103 Early\r\n\r\n"), 5));
  });
  await using lying = await startTcpTarget((socket) => {
    socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this");
  });
  await using garbage = await startTcpTarget((socket) => {
    socket.end("SSH-2.0-OpenSSH_9.2\r\n");
  });
  await using endless = await startHttpTarget((_, response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on("drain", more);
    more();
  });
  try {
    const budgetMs = 400;
    const poll = (url: string, http = {}) => check(url, {}, http, { budgetMs });
    const hung = await poll(hanging.url);
    t.regex(hung.failure, /took too long: stopped while waiting for an answer/);
    t.true(hung.ranOutOfTime);
    const http = (target: { url: string }) => target.url.replace("tcp:", "http:");
    t.regex((await poll(http(silent))).failure, /took too long/);
    t.regex(
      (await poll(http(silent).replace("http:", "https:"))).failure,
      /took too long: stopped while agreeing on TLS/,
    );
    t.regex(
      (await poll(dripping.url)).failure,
      /took too long: stopped while receiving the answer/,
    );
    t.regex((await poll(http(heads))).failure, /took too long|more than 32 KiB of headers/);
    t.regex((await poll(http(informing))).failure, /took too long/);
    t.regex((await poll(http(lying))).failure, /broke off in its answer/);
    t.regex((await poll(http(garbage))).failure, /does not answer in HTTP/);
    const flooded = await check(endless.url, {}, { mostBodyBytes: 100_000 });
    t.true(flooded.up);
    t.is(flooded.values["http.response.body.size"], 100_000);
    for (const target of [hanging, silent, dripping, heads, informing, lying, garbage, endless]) {
      await eventually("no connection is left", () => target.connections.size === 0);
    }
  } finally {
    for (const timer of timers) clearInterval(timer);
  }
});

test("answers that together take too much memory are given up, one by one", async (t) => {
  await using target = await startHttpTarget((_, response) => response.end("x".repeat(100_000)));
  const seen = await check(target.url, {}, {}, { heldBytes: 50_000 });
  t.regex(seen.failure, /given up to keep memory bounded/);
});

test("a poll that nobody wants any more ends at once", async (t) => {
  await using target = await startHttpTarget(() => {});
  const ending = new AbortController();
  const polling = check(target.url, {}, {}, { signal: ending.signal, budgetMs: 60_000 });
  await eventually("it is under way", () => target.connections.size === 1);
  ending.abort();
  t.false((await polling).up);
  await eventually("no connection is left", () => target.connections.size === 0);
  await wait(0);
});
