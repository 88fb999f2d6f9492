import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { create } from "@bufbuild/protobuf";
import test from "ava";
import { type Relay, type RelaySettings, startRelay } from "../../../collector/relay/relay.ts";
import {
  RelayPolicySchema,
  SendHeartbeatRequest_Warning as Warning,
} from "../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { systemClock } from "../../../lib/clock.ts";
import { silentLog } from "../../../lib/log.ts";
import { hashSecret } from "../../../lib/secret.ts";
import { eventually } from "../../support/eventually.ts";
import { makeManualClock } from "../../support/manual-clock.ts";
import { ANY_CREDENTIAL } from "../../support/relay.ts";
import { type Stand, startStand } from "../../support/stand.ts";

const PATH = "/lumetry.edge.v1.ConfigService/GetConfig";
const DAY_MS = 86_400_000;

let stand: Stand;
test.before(async () => {
  stand = await startStand();
});
test.after.always(() => stand?.[Symbol.asyncDispose]());

/** A collector's directory, in which relays are started one after the other. */
async function newPlace() {
  const dataDir = await mkdtemp(path.join(tmpdir(), "lumetry-relay-"));
  return {
    dataDir,
    start: (more: Partial<RelaySettings> = {}, clock = systemClock): Promise<Relay> =>
      startRelay(
        { listen: { host: "127.0.0.1", port: 0 }, server: stand.url, dataDir, ...more },
        { credential: () => ANY_CREDENTIAL, clock, log: silentLog },
      ),
    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }),
  };
}

/** The certificate that a relay shows to an agent that looks at nothing but its key. */
async function shownBy(relay: Relay): Promise<{ certificate: X509Certificate; pin: string }> {
  const socket = tls.connect({
    port: relay.port ?? 0,
    host: "127.0.0.1",
    rejectUnauthorized: false,
  });
  await new Promise((resolve, reject) =>
    socket.once("secureConnect", resolve).once("error", reject),
  );
  const certificate = new X509Certificate(socket.getPeerCertificate().raw);
  socket.destroy();
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return { certificate, pin: hashSecret(key).toString("hex") };
}

const call = (relay: Relay) => fetch(`http://127.0.0.1:${relay.port}${PATH}`, { method: "POST" });

test("the key is made at the first start, readable by its user only, and stays: what agents pin is what is shown", async (t) => {
  await using place = await newPlace();
  const pins: string[] = [];
  for (let start = 0; start < 2; start += 1) {
    await using relay = await place.start();
    await relay.listening;
    const { pin, certificate } = await shownBy(relay);
    t.is(relay.status().publicKeySha256, pin);
    t.is(Buffer.from(relay.health().publicKeySha256 ?? []).toString("hex"), pin);
    t.regex(certificate.subjectAltName ?? "", /localhost/);
    pins.push(pin);
  }
  t.is(new Set(pins).size, 1);
  const { mode } = await stat(path.join(place.dataDir, "relay/key.pem"));
  t.is(mode & 0o777, 0o600);
});

test("the certificate is renewed in time, on the same key, while connections are taken", async (t) => {
  await using place = await newPlace();
  const clock = makeManualClock();
  await using relay = await place.start({}, clock);
  await relay.listening;
  const before = await shownBy(relay);
  const later = await eventually("another certificate is shown", async () => {
    clock.advance(100 * DAY_MS);
    const shown = await shownBy(relay);
    return shown.certificate.serialNumber !== before.certificate.serialNumber && shown;
  });
  t.is(later.pin, before.pin);
  t.true(later.certificate.validToDate > before.certificate.validToDate);
});

test("a key that is damaged is not replaced behind the agents' backs", async (t) => {
  await using place = await newPlace();
  const file = path.join(place.dataDir, "relay/key.pem");
  await (await place.start())[Symbol.asyncDispose]();
  const key = await eventually("there is a key", () =>
    readFile(file, "utf8").catch(() => undefined),
  );
  await writeFile(file, key.slice(0, 60));
  await using relay = await place.start();
  await eventually("it says why", () =>
    /key.pem is damaged.*backup/.test(relay.status().problem ?? ""),
  );
  t.is(relay.port, undefined);
  t.deepEqual(relay.warnings(), [Warning.RELAY_DOWN]);
  t.is((await readFile(file, "utf8")).length, 60);
});

test("a certificate of the user's is shown in place of the own one", async (t) => {
  await using other = await newPlace();
  await using first = await other.start();
  await first.listening;
  await using place = await newPlace();
  await using relay = await place.start({
    certFile: path.join(other.dataDir, "relay/certificate.pem"),
    keyFile: path.join(other.dataDir, "relay/key.pem"),
  });
  await relay.listening;
  t.is((await shownBy(relay)).pin, first.status().publicKeySha256);
  t.is(relay.status().publicKeySha256, first.status().publicKeySha256);
});

test("a port that is taken is a warning, and is had as soon as it is free", async (t) => {
  await using holder = await startStand();
  await using place = await newPlace();
  await using relay = await place.start({ listen: { host: "127.0.0.1", port: holder.port } });
  await eventually("it says so", () =>
    /something else listens there/.test(relay.status().problem ?? ""),
  );
  t.deepEqual(relay.warnings(), [Warning.RELAY_DOWN]);
  await holder[Symbol.asyncDispose]();
  await relay.listening;
  t.deepEqual(relay.warnings(), []);
  t.is(relay.status().problem, undefined);
});

test("cleartext is taken until the zone turns it off, which holds after a restart and while the server is away", async (t) => {
  await using place = await newPlace();
  const policy = (allowCleartext: boolean) => create(RelayPolicySchema, { allowCleartext });
  {
    await using relay = await place.start();
    await relay.listening;
    t.true(relay.health().cleartext);
    t.deepEqual(relay.warnings(), []);
    t.is((await call(relay)).status, 200);
    t.deepEqual(relay.warnings(), [Warning.CLEARTEXT_RELAY]);
    await relay.follow(policy(false));
    t.deepEqual(relay.warnings(), []);
    const refusal = await call(relay);
    t.is(refusal.status, 503);
    t.regex(await refusal.text(), /RELAY_BUSY.*|no calls without encryption/);
    t.is(tlsStatus(await shownBy(relay)), "shown");
  }
  {
    await using relay = await place.start();
    await relay.listening;
    t.false(relay.health().cleartext);
    t.is((await call(relay)).status, 503);
    await relay.follow(policy(true));
    t.is((await call(relay)).status, 200);
  }
  await writeFile(path.join(place.dataDir, "relay/policy.json"), "{");
  await using relay = await place.start();
  await relay.listening;
  t.is((await call(relay)).status, 503, "a word that cannot be read allows nothing");
});

const tlsStatus = ({ pin }: { pin: string }) => (pin ? "shown" : "not shown");

test("calls are counted: those that the server answered, and those that the collector turned away", async (t) => {
  await using place = await newPlace();
  await using relay = await place.start({ url: "https://relay.example.com:4319" });
  await relay.listening;
  await call(relay);
  await call(relay);
  await fetch(`http://127.0.0.1:${relay.port}/lumetry.v1.ZoneService/ListZones`, {
    method: "POST",
  });
  const health = relay.health();
  t.is(health.url, "https://relay.example.com:4319");
  t.is(health.relayedCalls, 2n);
  t.is(health.refusedCalls, 1n);
  t.true((health.connections ?? 0) >= 1);
});
