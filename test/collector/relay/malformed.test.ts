import test from "ava";
import { connectRaw } from "../../support/raw.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { type Stand, startStand } from "../../support/stand.ts";

const PATH = "/lumetry.ingest.v1.MetricsService/WriteMetrics";

let stand: Stand;
let relay: TestRelay;
test.before(async () => {
  stand = await startStand();
  relay = await startTestRelay({ server: stand });
});
test.after.always(async () => {
  await relay?.[Symbol.asyncDispose]();
  await stand?.[Symbol.asyncDispose]();
});

/** Sends bytes on a connection of their own and gives all that comes back, when it is closed. */
async function say(text: string): Promise<string> {
  using connection = await connectRaw(relay.port);
  connection.write(Buffer.from(text, "latin1"));
  return await connection.closed();
}

const post = (...lines: string[]) => [`POST ${PATH} HTTP/1.1`, "Host: x", ...lines].join("\r\n");

/** What a server behind could read differently is not passed on at all. */
const REFUSED: [title: string, text: string, answer: RegExp][] = [
  [
    "a length and chunks",
    post(
      "Content-Length: 5",
      "Transfer-Encoding: chunked",
      "",
      "0",
      "",
      "GET /smuggled HTTP/1.1\r\n",
    ),
    /^HTTP\/1.1 400 .*one content-length or the transfer-encoding chunked/s,
  ],
  [
    "chunks and a length",
    post(
      "Transfer-Encoding: chunked",
      "Content-Length: 5",
      "",
      "0",
      "",
      "GET /smuggled HTTP/1.1\r\n",
    ),
    /^HTTP\/1.1 400 /,
  ],
  ["two lengths", post("Content-Length: 2", "Content-Length: 2", "", "ab"), /^HTTP\/1.1 400 /],
  ["a list of lengths", post("Content-Length: 2, 2", "", "ab"), /^HTTP\/1.1 400 /],
  ["a signed length", post("Content-Length: +2", "", "ab"), /^HTTP\/1.1 400 /],
  ["an endless length", post(`Content-Length: ${"9".repeat(30)}`, "", "ab"), /^HTTP\/1.1 400 /],
  ["an unknown encoding", post("Transfer-Encoding: xchunked", "", "0", "", ""), /^HTTP\/1.1 400 /],
  ["two encodings", post("Transfer-Encoding: gzip, chunked", "", "0", "", ""), /^HTTP\/1.1 400 /],
  [
    "an encoding twice",
    post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", "", "0", "", ""),
    /^HTTP\/1.1 400 /,
  ],
  ["a space before a colon", post("Content-Length : 2", "", "ab"), /^HTTP\/1.1 400 /],
  ["a folded header", post("X-A: b", " Content-Length: 2", "", "ab"), /^HTTP\/1.1 400 /],
  ["a header without a name", post(": b", "", ""), /^HTTP\/1.1 400 /],
  ["a control character", post("X-A: b\0c", "", ""), /^HTTP\/1.1 400 /],
  ["a bare carriage return", post("X-A: b\rContent-Length: 2", "", "ab"), /^HTTP\/1.1 400 /],
  ["lines that end in a bare line feed", `POST ${PATH} HTTP/1.1\nHost: x\n\n`, /^HTTP\/1.1 400 /],
  [
    "a chunk with a bad size",
    post("Transfer-Encoding: chunked", "", "zz", "", ""),
    /^HTTP\/1.1 400 /,
  ],
  ["a bad version", `POST ${PATH} HTTP/1.9\r\n\r\n`, /^HTTP\/1.1 400 /],
  ["HTTP/2.0 in words", `POST ${PATH} HTTP/2.0\r\n\r\n`, /^HTTP\/1.1 400 /],
  ["HTTP/0.9", `GET ${PATH}\r\n\r\n`, /^HTTP\/1.1 400 /],
  ["no HTTP at all", "SSH-2.0-OpenSSH_9.6\r\n", /^HTTP\/1.1 400 /],
  ["large headers", post(`X-A: ${"b".repeat(17_000)}`, "", ""), /^HTTP\/1.1 431 /],
  ["a large path", `GET ${PATH}?${"q".repeat(17_000)} HTTP/1.1\r\n\r\n`, /^HTTP\/1.1 431 /],
  ["CONNECT", "CONNECT internal:22 HTTP/1.1\r\nHost: internal\r\n\r\nxx", /^HTTP\/1.1 405 /],
  [
    "another host's path",
    "GET http://internal/admin HTTP/1.1\r\nConnection: close\r\n\r\n",
    /^HTTP\/1.1 404 /,
  ],
  [
    "a method of another kind",
    `DELETE ${PATH} HTTP/1.1\r\nConnection: close\r\n\r\n`,
    /^HTTP\/1.1 405 /,
  ],
  [
    "a path in another spelling",
    `POST ${PATH.toLowerCase()} HTTP/1.1\r\nConnection: close\r\n\r\n`,
    /^HTTP\/1.1 404 /,
  ],
  [
    "a path with a slash more",
    `POST /${PATH} HTTP/1.1\r\nConnection: close\r\n\r\n`,
    /^HTTP\/1.1 404 /,
  ],
  [
    "an escaped path",
    `POST ${PATH.replace(".", "%2e")} HTTP/1.1\r\nConnection: close\r\n\r\n`,
    /^HTTP\/1.1 404 /,
  ],
  [
    "a path that climbs",
    `POST ${PATH}/../../x HTTP/1.1\r\nConnection: close\r\n\r\n`,
    /^HTTP\/1.1 404 /,
  ],
  ["a fragment", `POST ${PATH}#x HTTP/1.1\r\nConnection: close\r\n\r\n`, /^HTTP\/1.1 404 /],
];

for (const [title, text, answer] of REFUSED) {
  test.serial(`${title}: refused, and the server never hears of it`, async (t) => {
    const before = stand.asked.length;
    t.regex(await say(text), answer);
    t.is(stand.asked.length, before);
  });
}

test.serial(
  "the form of a target that proxies use means the same, whatever host it names",
  async (t) => {
    const before = stand.asked.length;
    const text = `POST http://elsewhere.example${PATH}?q=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi`;
    t.regex(await say(text), /^HTTP\/1.1 200 .*ok/s);
    t.deepEqual(stand.asked.slice(before), [`POST ${PATH}?q=1`]);
  },
);

test.serial(
  "an upgrade is not made: the call is answered as it is, and the connection ends",
  async (t) => {
    const text = post(
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABk",
      "Content-Length: 2",
      "",
      "hiPRI * HTTP/2.0",
    );
    t.regex(await say(text), /^HTTP\/1.1 200 .*Connection: close.*ok/s);
  },
);

test.serial("HTTP/1.0 is answered with a body that lasts until the connection ends", async (t) => {
  const answer = await say(`POST ${PATH} HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi`);
  t.regex(answer, /^HTTP\/1.1 200 /);
  t.notRegex(answer, /chunked/i);
  t.true(answer.endsWith("\r\n\r\nok"));
});

test.serial(
  "what comes in one packet with another request may be sent again; the first is answered",
  async (t) => {
    const before = stand.asked.length;
    const one = post("Content-Length: 2", "", "hi");
    const answer = await say(one + one.replace("WriteMetrics", "Smuggled"));
    t.is(answer.match(/HTTP\/1.1/g)?.length, 1);
    t.regex(answer, /Connection: close/);
    t.deepEqual(stand.asked.slice(before), [`POST ${PATH}`]);
  },
);

test.serial(
  "requests that are sent without waiting are answered one after the other",
  async (t) => {
    using connection = await connectRaw(relay.port);
    const one = post("Content-Length: 2", "", "hi");
    for (let turn = 1; turn <= 3; turn += 1) {
      connection.write(one);
      connection.write(""); // a packet of its own
      await connection.until(new RegExp(`(HTTP/1.1 200 .*){${turn}}`, "s"));
    }
    t.is(connection.received.match(/HTTP\/1.1 200/g)?.length, 3);
  },
);

test.serial("garbage behind a request costs the connection, not its answer", async (t) => {
  const answer = await say(`${post("Content-Length: 2", "", "hi")}\0garbage`);
  t.regex(answer, /^HTTP\/1.1 200 .*Connection: close.*ok/s);
});

test.serial("a client that waits for 100 Continue is told to go on by the server", async (t) => {
  using connection = await connectRaw(relay.port);
  connection.write(post("Expect: 100-continue", "Content-Length: 2", "", ""));
  t.is(await connection.until(/HTTP/), "HTTP/1.1 100 Continue\r\n\r\n");
  connection.write("hi");
  t.regex(await connection.until(/200 /), /200 /);
});

test.serial(
  "a request that breaks off amid its headers leaves nothing behind for those of others",
  async (t) => {
    const heard: string[] = [];
    await using listening = await startStand(({ request, response }) => {
      heard.push(...Object.keys(request.headers));
      request.resume();
      response.end("ok");
    });
    await using other = await startTestRelay({ server: listening });
    const many = Array.from({ length: 60 }, (_, index) => `X-Left-${index}: behind`);
    for (let round = 0; round < 3; round += 1) {
      using whole = await connectRaw(other.port);
      whole.write(post("Content-Length: 2", "X-Mine: 1", "", "hi"));
      t.regex(await whole.until(/200 .*ok/s), /^HTTP\/1.1 200 /);
      using broken = await connectRaw(other.port);
      broken.write(`${post(...many)}\r\nX-Left-Half: `);
      broken.socket.end();
      await broken.closed();
    }
    t.is(heard.filter((name) => name === "x-mine").length, 3);
    t.deepEqual(
      heard.filter((name) => name.startsWith("x-left")),
      [],
    );
  },
);
