import { randomUUID, X509Certificate } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import type { Certificates } from "../certificates.ts";
import type { Database } from "../db/database.ts";
import type { Keyring } from "../sealing/keyring.ts";
import { findMissingKeys } from "../sealing/store.ts";
import { lookAfterOne, roundMs } from "../system-alerts/round.ts";
import { noteCertificate, noteMissingKeys } from "../system-alerts/servers.ts";
import { enterWatches } from "../system-alerts/store.ts";

const SERVER_EVERY_MS = 60_000;

/**
 * Turns what is amiss with collectors, agents, sources and servers into alerts; on any number of servers
 * at once. What concerns this very server is noted every minute, for whichever looks.
 */
export function startSystemWatch(parts: {
  db: Database;
  keyring: Keyring;
  /** What this server serves with; undefined without TLS. */
  certificates: Certificates | undefined;
  heartbeatIntervalMs: number;
  log: Log;
  clock: Clock;
}): AsyncDisposable {
  const { db, keyring, certificates, heartbeatIntervalMs, log, clock } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  const server = { serverId: randomUUID(), name: hostname() };
  let missingKeys: readonly string[] = [];

  const noteServer = async () => {
    missingKeys = await findMissingKeys(db, keyring);
    await noteMissingKeys(db, server, missingKeys);
    if (!certificates) return;
    const certificate = new X509Certificate(certificates.current.cert);
    await noteCertificate(db, {
      fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
      names: namesOf(certificate),
      startsAt: certificate.validFromDate,
      expiresAt: certificate.validToDate,
    });
  };
  const look = async () => {
    await enterWatches(db);
    const options = {
      db,
      heartbeatIntervalMs,
      onError: (error: unknown, workspaceId: string) =>
        log.error({ err: error, workspaceId }, "a workspace could not be watched; tried again"),
    };
    while (!signal.aborted && (await lookAfterOne(options))) {
      // Until none is due.
    }
  };
  const onError = (error: unknown) =>
    log.warn({ err: error }, "system alerts could not be looked after; tried again");
  const loops = [
    startLoop(noteServer, { every: () => SERVER_EVERY_MS, clock, signal, onError }),
    startLoop(look, {
      every: () => Math.min(roundMs(heartbeatIntervalMs), 2_000),
      jitter: 0.2,
      clock,
      signal,
      onError,
    }),
  ];
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(loops.map(({ done }) => done));
      // One that is killed counts until nothing was heard of it for a while.
      if (missingKeys.length > 0) await noteMissingKeys(db, server, []).catch(onError);
    },
  };
}

/** What it is for, in words: "monitoring.example.com, 10.0.0.1". */
function namesOf({ subjectAltName, subject }: X509Certificate): string {
  const names = (subjectAltName ?? "")
    .split(", ")
    .map((name) => name.replace(/^(DNS|IP Address):/, ""))
    .filter(Boolean);
  return (names.join(", ") || subject).slice(0, 500);
}
