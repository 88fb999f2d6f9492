import { setTimeout as wait } from "node:timers/promises";
import test from "ava";
import { makeDialler } from "../../../lib/egress/dialler.ts";
import { EgressFailure } from "../../../lib/egress/failure.ts";
import { readHost, readUrl } from "../../../lib/egress/host.ts";
import { makeLookup } from "../../../lib/egress/lookup.ts";
import { makeEgressPolicy } from "../../../lib/egress/policy.ts";
import { eventually } from "../../support/eventually.ts";
import { startTcpTarget } from "../../support/target.ts";

const advice = { network: "ask an administrator", loopback: "ask whoever runs this" };
const policy = (allowed: string[], loopback = false) =>
  makeEgressPolicy({ allowed, open: allowed.length === 0 ? ["private"] : [], loopback, advice });

const never = () => new AbortController().signal;

test("a policy refuses in words that tell what to do, and what nobody can change", (t) => {
  const zone = policy([]);
  t.is(zone.refusal("10.0.0.1"), undefined);
  t.is(zone.refusal("fd00::1"), undefined);
  t.is(zone.refusal("100.64.1.1"), undefined);
  t.is(zone.refusal("8.8.8.8"), "is in a public network: ask an administrator");
  t.is(zone.refusal("127.0.0.1"), "is this machine itself: ask whoever runs this");
  t.regex(zone.refusal("169.254.169.254") ?? "", /^is an address that is never connected to/);
  t.regex(zone.refusal("192.0.2.1") ?? "", /set aside for documentation or tests: ask an admin/);
  const listed = policy([
    "10.0.0.0/8",
    "8.8.8.8/32",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "2001:db8::/32",
  ]);
  t.is(listed.refusal("8.8.8.8"), undefined);
  t.is(listed.refusal("::ffff:8.8.8.8"), undefined);
  t.is(listed.refusal("2001:db8::1"), undefined);
  t.truthy(listed.refusal("8.8.8.9"));
  t.truthy(listed.refusal("192.168.0.1"));
  t.truthy(listed.refusal("169.254.169.254"));
  t.truthy(listed.refusal("127.0.0.1"));
  t.is(policy([], true).refusal("127.0.0.1"), undefined);
});

test("hosts and URLs have one form, in which they are looked up, checked and shown", (t) => {
  t.is(readHost("DB-7.Example.COM."), "db-7.example.com");
  t.is(readHost("[FD00::0:1]"), "fd00::1");
  t.is(readHost("fd00::1"), "fd00::1");
  t.is(readHost("0x7f.1"), "127.0.0.1");
  t.is(readHost("under_score.local"), "under_score.local");
  for (const odd of [
    "",
    ".",
    "a b",
    "a/b",
    "a@b",
    "a:80",
    "a%41",
    "fe80::1%eth0",
    "256.0.0.1",
    "a\n",
  ]) {
    t.throws(() => readHost(odd), { instanceOf: EgressFailure }, odd);
  }
  t.is(readUrl("HTTPS://Example.com:443/A?b#c").href, "https://example.com/A?b#c");
  t.throws(() => readUrl("ftp://x"), { message: /ftp: is not called: write http: or https:/ });
  t.throws(() => readUrl("http://u@x"), { message: /user name or password/ });
});

test("of several addresses the one that answers is connected to", async (t) => {
  await using target = await startTcpTarget(() => {});
  const lookup = async () => ["127.0.0.2", "127.0.0.1"];
  const dialler = makeDialler(policy([], true), lookup);
  const phases: string[] = [];
  const { address, socket } = await dialler.dial("two.example", target.port, {
    signal: never(),
    trace: (phase, doing) => phases.push(`${phase}: ${doing}`),
  });
  t.is(address, "127.0.0.1");
  t.deepEqual(phases, [
    "dns: looking up two.example",
    `connect: connecting to 127.0.0.2:${target.port}`,
    `connect: connecting to 127.0.0.1:${target.port}`,
  ]);
  socket.destroy();
});

test("a connection ends with its signal, whatever it is used for by then", async (t) => {
  await using target = await startTcpTarget(() => {});
  const ending = new AbortController();
  const dialler = makeDialler(policy([], true));
  const { socket } = await dialler.dial("127.0.0.1", target.port, { signal: ending.signal });
  await eventually("it is connected", () => target.connections.size === 1);
  ending.abort();
  await eventually("it is closed", () => target.connections.size === 0);
  t.true(socket.destroyed);
  await t.throwsAsync(dialler.dial("127.0.0.1", target.port, { signal: ending.signal }), {
    instanceOf: EgressFailure,
    message: /took too long/,
  });
});

test("a name is looked up once for all who want it now, and whoever gives up leaves the others alone", async (t) => {
  const asked: string[] = [];
  const answers = new Map<string, (addresses: { address: string; family: number }[]) => void>();
  const lookup = makeLookup((host) => {
    asked.push(host);
    return new Promise((resolve) => answers.set(host, resolve));
  });
  const impatient = new AbortController();
  const first = lookup("db.example", impatient.signal);
  const second = lookup("db.example", never());
  impatient.abort();
  await t.throwsAsync(first, { message: /took too long: stopped while looking up its name/ });
  answers.get("db.example")?.([{ address: "10.0.0.1", family: 4 }]);
  t.deepEqual(await second, ["10.0.0.1"]);
  t.deepEqual(asked, ["db.example"]);
  t.deepEqual(await lookup("10.0.0.9", never()), ["10.0.0.9"]);
});

test("names that nobody answers for hold up others no longer than they are waited for", async (t) => {
  let asked = 0;
  const answers: (() => void)[] = [];
  const lookup = makeLookup((host) => {
    asked += 1;
    if (host === "fine.example") return Promise.resolve([{ address: "10.0.0.1", family: 4 }]);
    return new Promise((resolve) => answers.push(() => resolve([])));
  });
  const stuck = Array.from({ length: 12 }, (_, index) => lookup(`dead-${index}.example`, never()));
  const ending = new AbortController();
  const waiting = lookup("waits.example", ending.signal);
  const fine = lookup("fine.example", never());
  await wait(0);
  t.is(asked, 12);
  ending.abort();
  await t.throwsAsync(waiting, { message: /took too long/ });
  answers[0]?.();
  t.deepEqual(await fine, ["10.0.0.1"]);
  for (const answer of answers) answer();
  await Promise.all(stuck);
});
