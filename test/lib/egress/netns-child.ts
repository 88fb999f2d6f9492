/**
 * Runs in a network namespace where every address there is belongs to this machine and nothing leads
 * out: whatever is connected to is accepted, and noted by the address that was dialled.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import type { Answer } from "dns-packet";
import { type Dialler, makeDialler } from "../../../lib/egress/dialler.ts";
import { EgressFailure } from "../../../lib/egress/failure.ts";
import { requestHttp } from "../../../lib/egress/http.ts";
import { makeEgressPolicy } from "../../../lib/egress/policy.ts";
import { startDnsTarget } from "../../support/dns-target.ts";
import { pollOnce } from "../../support/polling.ts";
import { HOSTS, type Place, URLS } from "./corpus.ts";

const PORT = 80;
const NAME_SERVER = "127.0.0.1";

const ZONE: Record<string, string[]> = {
  "metadata.google.internal": ["169.254.169.254"],
  metadata: ["169.254.169.254"],
  "loop.test": ["127.0.0.1"],
  "loop6.test": ["::1"],
  "mapped.test": ["::ffff:169.254.169.254"],
  "nat64.test": ["64:ff9b::a9fe:a9fe"],
  "sixtofour.test": ["2002:a9fe:a9fe::1"],
  "zero.test": ["0.0.0.0"],
  "link.test": ["169.254.7.7"],
  "inside.test": ["10.1.2.3"],
  "outside.test": ["8.8.4.4"],
  "xn--bcher-kva.test": ["10.1.2.3"],
  "mixed.test": ["169.254.169.254", "127.0.0.1", "10.1.2.3", "8.8.4.4"],
};

/** Changes its mind at each question: first an address that is allowed, then the one that is meant. */
let rebindings = 0;
const rebind = () => (rebindings++ % 2 === 0 ? ["10.1.2.3"] : ["169.254.169.254"]);

function resolve(name: string, type: string): Answer[] {
  if (name === "alias.test") {
    return [
      { type: "CNAME", name, ttl: 0, data: "metadata.google.internal" },
      ...(type === "A"
        ? [
            {
              type: "A" as const,
              name: "metadata.google.internal",
              ttl: 0,
              data: "169.254.169.254",
            },
          ]
        : []),
    ];
  }
  const wanted = type === "A" ? net.isIPv4 : net.isIPv6;
  const addresses = name === "rebind.test" ? (type === "A" ? rebind() : []) : (ZONE[name] ?? []);
  return addresses
    .filter(wanted)
    .map((data) => ({ type: type as "A" | "AAAA", name, ttl: 0, data }));
}

/** Addresses that were connected to since it was last emptied. */
const dialled: string[] = [];
const plain = (address = "") => address.replace(/^::ffff:(?=\d+\.)/, "");
let location: string | undefined;

async function listen(): Promise<void> {
  const server = http.createServer((request, response) => {
    // The first of two hops: whatever the test wants to see followed.
    const isStart = plain(request.socket.localAddress) === "10.9.9.9" && location !== undefined;
    if (isStart) response.writeHead(302, { location }).end();
    else response.end("reached");
  });
  server.on("connection", (socket) => dialled.push(plain(socket.localAddress)));
  server.listen(PORT, "::");
  await once(server, "listening");
}

const policies: Record<string, { dialler: Dialler; open: Place[] }> = {
  server: make(["public"], [], ["public"]),
  "server with an allow-list": make(["public"], ["10.1.2.0/24", "169.254.0.0/16"], ["public"]),
  zone: make(["private"], [], ["private"]),
  "zone that lists everything": make([], ["0.0.0.0/0", "::/0"], ["private", "public"]),
};

function make(open: ("public" | "private")[], allowed: string[], places: Place[]) {
  const advice = { network: "ask", loopback: "ask" };
  const policy = makeEgressPolicy({ allowed, open, loopback: false, advice });
  return { dialler: makeDialler(policy), open: places };
}

/** In the allow-list of the second policy; one of them by way of a gateway. */
const LISTED = new Set(["10.1.2.3", "64:ff9b::a01:203"]);

interface Attempt {
  what: string;
  place: Place;
  address: string;
  run: (dialler: Dialler) => Promise<unknown>;
  /** Connected to on the way, and allowed. */
  via?: string;
}

const limits = () => ({ mostBytes: 1_000, signal: AbortSignal.timeout(2_000) });

const call = (dialler: Dialler, url: string, redirects = 0) =>
  requestHttp(dialler, { method: "GET", url, redirects, whenLonger: "cut", ...limits() });

function attempts(): Attempt[] {
  const urls = [
    ...HOSTS.map(({ host, ...rest }) => ({ url: `http://${host}/latest/meta-data/`, ...rest })),
    ...URLS,
  ];
  return [
    ...urls.map(({ url, place, address }) => ({
      what: `GET ${JSON.stringify(url)}`,
      place,
      address,
      run: (dialler: Dialler) => call(dialler, url),
    })),
    ...urls.map(({ url, place, address }) => ({
      what: `a redirect to ${JSON.stringify(url)}`,
      place,
      address,
      via: "10.9.9.9",
      run: async (dialler: Dialler) => {
        location = Buffer.from(url.replace(/[\0\r\n]/g, "")).toString("latin1");
        try {
          return await call(dialler, "http://10.9.9.9/", 3);
        } finally {
          location = undefined;
        }
      },
    })),
    ...HOSTS.map(({ host, place, address }) => ({
      what: `a connection to ${host}`,
      place,
      address,
      run: (dialler: Dialler) => dialler.dial(host, PORT, { signal: AbortSignal.timeout(2_000) }),
    })),
  ];
}

interface Outcome {
  attempts: number;
  reached: number;
  wrong: string[];
}

async function attemptAll(name: string): Promise<Outcome> {
  const { dialler, open } = policies[name] ?? make([], [], []);
  const outcome: Outcome = { attempts: 0, reached: 0, wrong: [] };
  for (const { what, place, address, via, run } of attempts()) {
    dialled.length = 0;
    const error = await run(dialler).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    await new Promise((settled) => setImmediate(settled));
    outcome.attempts += 1;
    const isListed = name === "server with an allow-list" && LISTED.has(address);
    const mayReach = (open.includes(place) || isListed) && place !== "nowhere";
    const expected = new Set([...(mayReach ? [address] : []), ...(via ? [via] : [])]);
    const others = dialled.filter((one) => !expected.has(one));
    if (others.length > 0) outcome.wrong.push(`${what} connected to ${others.join(", ")}`);
    if (error !== undefined && !(error instanceof EgressFailure)) {
      outcome.wrong.push(`${what} failed without words: ${error}`);
    }
    if (dialled.includes(address) && mayReach) outcome.reached += 1;
    else if (error === undefined && place !== "nowhere" && !mayReach && !via) {
      outcome.wrong.push(`${what} was not refused`);
    }
  }
  return outcome;
}

/** A name that leads elsewhere each time is connected to where it led when it was checked, or not at all. */
async function rebindOften(): Promise<string[]> {
  const { dialler } = policies.zone ?? make([], [], []);
  dialled.length = 0;
  for (let time = 0; time < 20; time += 1)
    await call(dialler, "http://rebind.test/").catch(() => {});
  return [...new Set(dialled)];
}

async function mix(): Promise<string[]> {
  const { dialler } = policies.zone ?? make([], [], []);
  dialled.length = 0;
  for (let time = 0; time < 5; time += 1) await call(dialler, "http://mixed.test/");
  return [...new Set(dialled)];
}

/** The kinds that do not speak HTTP go the same way out. */
async function pollOthers(): Promise<string[]> {
  const { dialler } = policies.zone ?? make([], [], []);
  dialled.length = 0;
  const target = { host: "alias.test", port: PORT };
  const login = { database: "d", username: "u", query: "select 1", metrics: [] };
  const readings = await Promise.all([
    pollOnce({ case: "tcpCheck", value: { target } }, { dialler }),
    pollOnce({ case: "tlsCertificate", value: { target } }, { dialler }),
    pollOnce({ case: "postgresQuery", value: { target, ...login } }, { dialler }),
    pollOnce({ case: "dnsCheck", value: { name: "x", server: target, transport: 2 } }, { dialler }),
    pollOnce({ case: "dnsCheck", value: { name: "x", server: target } }, { dialler }),
  ]);
  return [
    ...dialled,
    ...readings.map(({ failure }) => failure).filter((words) => !/never connected to/.test(words)),
  ];
}

const ip = (...args: string[]) => execFileSync("ip", args);
ip("link", "set", "lo", "up");
ip("route", "add", "local", "0.0.0.0/0", "dev", "lo");
ip("-6", "route", "add", "local", "::/0", "dev", "lo");
await listen();
await startDnsTarget((name, type) => ({ answers: resolve(name.toLowerCase(), type) }), {
  address: NAME_SERVER,
  port: 53,
});
const outcomes: Record<string, Outcome> = {};
for (const name of Object.keys(policies)) outcomes[name] = await attemptAll(name);
console.log(
  JSON.stringify({
    hosts: HOSTS.length,
    urls: URLS.length,
    outcomes,
    rebound: await rebindOften(),
    mixed: await mix(),
    others: await pollOthers(),
  }),
);
process.exit(0);
