import test from "ava";
import type { Answer } from "dns-packet";
import { type DnsReply, startDnsTarget } from "../../../support/dns-target.ts";
import { eventually } from "../../../support/eventually.ts";
import { findFreePort } from "../../../support/free-port.ts";
import { pollOnce } from "../../../support/polling.ts";
import { startHttpsTarget, startTcpTarget } from "../../../support/target.ts";

const host = "127.0.0.1";

test("a port that takes connections is up, one that does not is down", async (t) => {
  await using target = await startTcpTarget(() => {});
  const up = await pollOnce({ case: "tcpCheck", value: { target: { host, port: target.port } } });
  t.is(up.failure, "");
  t.true((up.values['tcp.phase.duration{phase="connect"}'] ?? -1) >= 0);
  await eventually("no connection is left", () => target.connections.size === 0);
  const port = await findFreePort();
  const down = await pollOnce({ case: "tcpCheck", value: { target: { host, port } } });
  t.is(down.failure, `127.0.0.1:${port} refused the connection`);
  t.deepEqual(down.phases, ["dns", "connect"]);
});

test("what a port says has to be as expected, over TLS too", async (t) => {
  await using greeting = await startTcpTarget((socket) => {
    socket.write("220 mail.exa");
    setImmediate(() => socket.write("mple ESMTP\r\n"));
  });
  await using echo = await startTcpTarget((socket) => socket.pipe(socket));
  await using mute = await startTcpTarget((socket) => socket.end("-ERR\r\n"));
  await using silent = await startTcpTarget(() => {});
  const say = (target: { port: number }, send: string, expect: string, budgetMs = 10_000) =>
    pollOnce(
      {
        case: "tcpCheck",
        value: {
          target: { host, port: target.port },
          send: Buffer.from(send),
          expect: Buffer.from(expect),
        },
      },
      { budgetMs },
    );
  t.is((await say(greeting, "", "220 mail.example ")).failure, "");
  t.is((await say(echo, "PING", "PING")).failure, "");
  t.regex((await say(mute, "PING", "+PONG")).failure, /ended the connection before .* "-ERR/);
  t.regex((await say(silent, "PING", "+PONG", 300)).failure, /the time was over/);
  await using secure = await startHttpsTarget((_, response) => response.end("hello"));
  const seen = await pollOnce({
    case: "tcpCheck",
    value: {
      target: { host, port: secure.port },
      tls: { caPem: secure.ca },
      send: Buffer.from("GET / HTTP/1.0\r\n\r\n"),
      expect: Buffer.from("200 OK"),
    },
  });
  t.is(seen.failure, "");
});

test("a certificate tells its days, its names and its issuer, even if it does not hold", async (t) => {
  await using fine = await startHttpsTarget(() => {}, { daysLeft: 40 });
  await using ended = await startHttpsTarget(() => {}, { daysLeft: -3 });
  await using other = await startHttpsTarget(() => {}, { names: ["other.example"] });
  const look = (port: number, settings = {}) =>
    pollOnce({
      case: "tlsCertificate",
      value: { target: { host, port }, tls: { caPem: fine.ca }, ...settings },
    });
  const good = await look(fine.port, { leastDaysLeft: 30 });
  t.is(good.failure, "");
  t.is(Math.round(good.values["tls.certificate.days_left"] ?? 0), 40);
  t.regex(good.facts["certificate.issuer"] ?? "", /Lumetry on test/);
  t.regex(good.facts["certificate.sha256"] ?? "", /^([0-9A-F]{2}:){31}/);
  t.is(good.facts["tls.version"], "TLSv1.3");
  const short = await look(fine.port, { leastDaysLeft: 60 });
  t.regex(short.failure, /ends in \d+\.\d days, on .*; at least 60 have to be left/);
  const gone = await look(ended.port);
  t.is(gone.failure, "its certificate has expired");
  t.is(Math.round(gone.values["tls.certificate.days_left"] ?? 0), -3);
  t.is((await look(other.port)).failure, "its certificate is for another name");
  const unknown = await look(fine.port, { tls: {} });
  t.regex(unknown.failure, /authority that is not trusted|without the chain/);
  await using plain = await startTcpTarget((socket) => socket.end("220 hello\r\n"));
  t.regex((await look(plain.port)).failure, /does not speak TLS|TLS failed|closed/);
});

const RECORDS: Record<string, Answer[]> = {
  "A www.example": [
    { type: "CNAME", name: "www.example", ttl: 60, data: "web.example" },
    { type: "A", name: "web.example", ttl: 30, data: "192.0.2.7" },
    { type: "A", name: "web.example", ttl: 300, data: "192.0.2.8" },
  ],
  "MX example": [
    { type: "MX", name: "example", ttl: 5, data: { preference: 10, exchange: "mx.example" } },
  ],
  "TXT example": [
    { type: "TXT", name: "example", ttl: 5, data: [Buffer.from("v=spf1 "), Buffer.from("-all")] },
  ],
  "SRV _x._tcp.example": [
    {
      type: "SRV",
      name: "_x._tcp.example",
      ttl: 5,
      data: { port: 443, target: "a.example", priority: 1, weight: 2 },
    },
  ],
  "SOA example": [
    {
      type: "SOA",
      name: "example",
      ttl: 5,
      data: {
        mname: "ns.example",
        rname: "h.example",
        serial: 7,
        refresh: 1,
        retry: 2,
        expire: 3,
        minimum: 4,
      },
    },
  ],
};

const reply = (name: string, type: string): DnsReply => {
  if (name === "gone.example") return { rcode: 3 };
  if (name === "silent.example") return { silent: true };
  if (name === "long.example") {
    return { cut: true, answers: [{ type: "TXT", name, ttl: 1, data: "x".repeat(200) }] };
  }
  return { answers: RECORDS[`${type} ${name}`] ?? [] };
};

test("names resolve as they should, over UDP and TCP, and the words say how they do not", async (t) => {
  await using server = await startDnsTarget(reply);
  const ask = (name: string, recordType: number, settings = {}, budgetMs = 10_000) =>
    pollOnce(
      {
        case: "dnsCheck",
        value: { name, recordType, server: { host, port: server.port }, ...settings },
      },
      { budgetMs },
    );
  const a = await ask("www.example.", 0, { expectedAnswers: ["192.0.2.8"] });
  t.is(a.failure, "");
  t.is(a.values["dns.answers"], 2);
  t.is(a.values["dns.ttl"], 30);
  t.is(a.facts.answers, "192.0.2.7, 192.0.2.8");
  t.is((await ask("example", 4, { expectedAnswers: ["10 MX.example."] })).failure, "");
  t.is((await ask("example", 9, { expectedAnswers: ["v=spf1 -all"] })).failure, "");
  t.is((await ask("_x._tcp.example", 8)).facts.answers, "1 2 443 a.example");
  t.is((await ask("example", 7)).facts.answers, "ns.example h.example 7 1 2 3 4");
  t.is(
    (await ask("gone.example", 1)).failure,
    "the server answered NXDOMAIN: there is no such name",
  );
  t.is((await ask("empty.example", 1)).failure, "empty.example has no A record");
  t.is(
    (await ask("www.example", 1, { expectedAnswers: ["192.0.2.9"] })).failure,
    "192.0.2.9 is not among the answers: 192.0.2.7, 192.0.2.8",
  );
  t.regex((await ask("silent.example", 1, {}, 300)).failure, /took too long/);
  server.asked.length = 0;
  t.is((await ask("long.example", 9)).failure, "");
  t.deepEqual(server.asked, ["udp TXT long.example", "tcp TXT long.example"]);
  server.asked.length = 0;
  t.is((await ask("www.example", 1, { transport: 2 })).failure, "");
  t.deepEqual(server.asked, ["tcp A www.example"]);
  const nobody = { server: { host, port: await findFreePort() } };
  t.regex((await ask("www.example", 1, nobody, 1_000)).failure, /no DNS server listens/);
  const refused = await ask("www.example", 1, { server: { host: "169.254.169.253", port: 53 } });
  t.regex(refused.failure, /never connected to/);
});
