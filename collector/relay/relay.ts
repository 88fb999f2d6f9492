import { X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import type { Relaying } from "../../edge/relaying.ts";
import { SendHeartbeatRequest_Warning as Warning } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { givenCertificate } from "../../lib/certificates/given.ts";
import type { Pair, PairFlags } from "../../lib/certificates/pair.ts";
import type { Source } from "../../lib/certificates/source.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import { hashSecret } from "../../lib/secret.ts";
import type { HostPort } from "../../lib/settings.ts";
import { makeDesk } from "./desk.ts";
import { defaultRelayLimits, type RelayLimits } from "./limits.ts";
import { listenForAgents, type RelayListener } from "./listener.ts";
import { ownCertificate } from "./own-certificate.ts";
import { Policy } from "./policy.ts";
import type { Tally } from "./tally.ts";

/** A port that cannot be had is tried again this often. */
const RETRY_MS = 5_000;
/** How long a relay that stops waits for the calls that it is passing on. */
const DRAIN_MS = 5_000;

/** The settings that name the files of a certificate of the user's. */
export const RELAY_FLAGS: PairFlags = { cert: "--relay-cert", key: "--relay-key" };

export interface RelaySettings {
  listen: HostPort;
  /** Where agents are told to come; made of this machine's name when undefined. */
  url?: string | undefined;
  /** A certificate and key of the user's, in place of the collector's own. */
  certFile?: string | undefined;
  keyFile?: string | undefined;
  /** The server, as a URL, and a file of private authorities to trust it by. */
  server: string;
  caFile?: string | undefined;
  proxy?: string | undefined;
  /** Of the collector: the relay keeps its things in "relay" below it. */
  dataDir: string;
  limits?: Partial<RelayLimits>;
}

/** A relay that runs, or tries to. */
export interface Relay extends Relaying {
  /** The port that it listens on; undefined while it cannot. */
  readonly port: number | undefined;
  /** Settles once it listens for the first time. */
  readonly listening: Promise<void>;
}

/**
 * Passes on what the agents of the zone call, under their own identity, and names this collector
 * beside it. Whatever keeps it from listening is logged, reported and tried again: it never keeps the
 * collector from collecting.
 */
export async function startRelay(
  settings: RelaySettings,
  parts: { credential: () => string | undefined; clock: Clock; log: Log },
): Promise<Relay> {
  const { clock, log } = parts;
  const limits = { ...defaultRelayLimits, ...settings.limits };
  const directory = path.join(settings.dataDir, "relay");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const policy = await Policy.load(directory, log);
  const tally: Tally = { relayed: 0, refused: 0 };
  let cleartextSeen = false;
  const desk = makeDesk({
    limits,
    credential: parts.credential,
    allowsCleartext: () => policy.allowsCleartext,
    onCleartext() {
      cleartextSeen = true;
    },
  });

  const stop = new AbortController();
  const { promise: listening, resolve: isListening } = Promise.withResolvers<void>();
  let listener: RelayListener | undefined;
  let source: Source | undefined;
  /** SHA-256 of the public key, in hex. */
  let publicKeySha256 = "";
  let problem: string | undefined = "it is starting";

  const url = () =>
    settings.url ?? `https://${hostname()}:${listener?.port ?? settings.listen.port}`;
  const { certFile, keyFile } = settings;
  const loadSource = () =>
    certFile !== undefined && keyFile !== undefined
      ? givenCertificate(certFile, keyFile, RELAY_FLAGS, { log, clock })
      : ownCertificate(directory, namesIn(settings.url), { log, clock });

  const show = (pair: Pair) => {
    const { publicKey } = new X509Certificate(pair.cert);
    publicKeySha256 = hashSecret(publicKey.export({ type: "spki", format: "der" })).toString("hex");
  };
  const open = async () => {
    source = await loadSource();
    const pair = source.first;
    const { server, caFile, proxy, listen: at } = settings;
    const ca = caFile === undefined ? undefined : await readFile(caFile);
    listener = await listenForAgents({
      ...{ at, pair, limits, desk, tally, server, ca, proxy, clock, log },
    });
    show(pair);
    problem = undefined;
    isListening();
    log.info({ url: url(), publicKeySha256 }, "relaying for agents");
  };
  const lookAfter = async () => {
    if (!listener) return open();
    const pair = await source?.refresh();
    if (!pair) return;
    listener.setKeyPair(pair);
    show(pair);
  };
  const loop = startLoop(lookAfter, {
    every: () => (listener ? (source?.everyMs ?? RETRY_MS) : RETRY_MS),
    jitter: 0.2,
    clock,
    signal: stop.signal,
    onError(error) {
      const { message } = error as Error;
      if (listener) log.warn({ err: error }, "the relay's certificate could not be looked after");
      else if (message !== problem) log.warn({ reason: message }, "cannot relay for agents yet");
      if (!listener) problem = message;
    },
  });

  const drain = async () => {
    const until = clock.monotonic() + DRAIN_MS;
    while (desk.running > 0 && clock.monotonic() < until) await clock.sleep(20);
  };
  const close = async () => {
    stop.abort();
    await loop.done;
    desk.close();
    listener?.wind();
    await drain();
    await listener?.close();
  };
  let closing: Promise<void> | undefined;

  return {
    listening,
    get port() {
      return listener?.port;
    },
    health: () => ({
      url: url(),
      publicKeySha256: Buffer.from(publicKeySha256, "hex"),
      cleartext: policy.allowsCleartext,
      connections: listener?.connections.open.size ?? 0,
      relayedCalls: BigInt(tally.relayed),
      refusedCalls: BigInt(tally.refused),
    }),
    warnings: () => [
      ...(listener ? [] : [Warning.RELAY_DOWN]),
      ...(cleartextSeen && policy.allowsCleartext ? [Warning.CLEARTEXT_RELAY] : []),
    ],
    status: () => ({
      url: url(),
      problem,
      publicKeySha256,
      allowsCleartext: policy.allowsCleartext,
      connections: listener?.connections.open.size ?? 0,
      relayedCalls: tally.relayed,
      refusedCalls: tally.refused,
    }),
    follow: ({ allowCleartext }) => policy.set(allowCleartext),
    [Symbol.asyncDispose]: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** What a certificate should be good for, besides this machine's own names. */
function namesIn(url: string | undefined): string[] {
  return url === undefined ? [] : [new URL(url).hostname.replace(/^\[|\]$/g, "")];
}
