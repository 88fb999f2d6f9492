import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Code, ConnectError, createConnectRouter, createContextValues } from "@connectrpc/connect";
import { createValidateInterceptor } from "@connectrpc/validate";
import { MetricsService } from "../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { type Clock, systemClock } from "../lib/clock.ts";
import { makeDialler } from "../lib/egress/dialler.ts";
import type { Log } from "../lib/log.ts";
import { SettingsError } from "../lib/settings.ts";
import { makeAuthenticator } from "./access/authenticator.ts";
import { mostBytes } from "./access/body-limit.ts";
import { clientAddress, readNetworks } from "./access/forwarded.ts";
import { makeGate } from "./access/gate.ts";
import { makeRateLimit } from "./access/rate-limit.ts";
import { requireRules } from "./access/rules.ts";
import { makePaths } from "./agents/paths.ts";
import { loadCertificates, pinnedAuthority } from "./certificates.ts";
import { makeServerPolicy } from "./channels/egress.ts";
import { makePackingThread } from "./chunks/packing-thread.ts";
import { chunkReader } from "./chunks/reader.ts";
import { KEPT_LONGER_MS } from "./chunks/windows.ts";
import { loadConsole, wantsPage } from "./console.ts";
import { type Origin, originKey } from "./context.ts";
import { connectDatabase, migrate } from "./db/database.ts";
import { startEmbeddedDatabase } from "./db/embedded.ts";
import { makeDispatch } from "./http/dispatch.ts";
import type { FastRoute } from "./http/fast-path.ts";
import { gzip } from "./http/gzip.ts";
import { type Handler, listen } from "./http.ts";
import { directRoutes } from "./ingest/direct.ts";
import { makeMetadataKeeper } from "./ingest/metadata.ts";
import { makeIngest } from "./ingest/write.ts";
import { confirmCallers } from "./interceptors/callers.ts";
import { handleRefusals, handleRequests, makeAccounts } from "./interceptors/requests.ts";
import { startAssigner } from "./jobs/assign-sources.ts";
import { startDeliverer } from "./jobs/deliver.ts";
import { startLeaseKeeper } from "./jobs/expire-leases.ts";
import { startNotifier } from "./jobs/notify.ts";
import { startPartitionKeeper } from "./jobs/partitions.ts";
import { startPruner } from "./jobs/prune.ts";
import { startResealer } from "./jobs/reseal.ts";
import { startSystemWatch } from "./jobs/watch-system.ts";
import { makePointLog } from "./log/log.ts";
import { makeSeriesResolver } from "./log/series.ts";
import { makeMetrics } from "./metrics.ts";
import { openPackages } from "./packages/packages.ts";
import { noteAddress } from "./people/deployment-store.ts";
import { prepareDeployment } from "./people/setup.ts";
import { makePlainRoutes } from "./plain-routes.ts";
import { startReader } from "./readers/reader.ts";
import { adoptRestoredLog } from "./readers/restore.ts";
import { makeReadiness } from "./readiness.ts";
import { makeRoutes, register } from "./routes.ts";
import { rulesReader } from "./rules/reader.ts";
import { openKeyring } from "./sealing/keyring.ts";
import { checkKeys, makeVault } from "./sealing/vault.ts";
import type { ServerSettings } from "./settings.ts";
import type { Lapsed } from "./work/lapses.ts";
import { startSignals } from "./work/signals.ts";

const LONGEST_CALL_MS = 60_000;
/** Alerts are to be known within seconds, and somebody else to take over within seconds as well. */
const RULES_PACE = { pollMs: 300, leaseMs: 5_000 };
/** Text that is not UTF-8 is refused in JSON as it is in the binary form, not mended. */
const JSON_OPTIONS = {
  ignoreUnknownFields: true,
  textDecoder: new TextDecoder("utf-8", { fatal: true }),
};

export interface Server {
  /** Where this process can be reached on this machine. */
  readonly url: string;
  /** The certificate to trust when it was made locally. */
  readonly caFile: string | undefined;
  /** Lets the first person in, once; undefined when they have come. */
  readonly setupSecret: string | undefined;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts everything, in order; whatever fails takes back what was started before it. */
export async function startServer(
  settings: ServerSettings,
  options: { log: Log; clock?: Clock },
): Promise<Server> {
  const { log, clock = systemClock } = options;
  await using started = new AsyncDisposableStack();

  let target: Parameters<typeof connectDatabase>[0];
  if (settings.databaseUrl) target = { url: settings.databaseUrl };
  else {
    const embedded = await startEmbeddedDatabase({ directory: settings.dataDir, log });
    started.use(embedded);
    target = embedded.connection;
  }
  const { db, pool } = started.use(
    connectDatabase(target, { log, connections: settings.databaseConnections }),
  );
  for (const name of await migrate(db))
    log.info({ migration: name }, "the schema was brought up to date");
  if (await adoptRestoredLog(db)) {
    log.warn({}, "the database was restored from a dump: the log of points goes on from there");
  }
  const setupSecret = await prepareDeployment(db);

  const retention = {
    chunks: settings.retention + KEPT_LONGER_MS,
    rollups_5m: settings.fiveMinuteRetention,
    rollups_1h: settings.hourlyRetention,
  };
  started.use(await startPartitionKeeper({ db, retention, log, clock }));
  const allMs = Math.max(...Object.values(retention));
  started.use(startPruner({ db, log, clock, retention: { pointsMs: settings.retention, allMs } }));
  const metrics = makeMetrics(pool);
  const packing = started.use(makePackingThread());
  const chunks = chunkReader({
    db,
    packing,
    log,
    clock,
    retentionMs: retention.chunks,
    onLost: metrics.lost,
  });
  started.use(startReader(chunks, { db, pool, log, clock, onRead: metrics.read }));
  started.use(
    startReader(rulesReader({ log }), {
      db,
      pool,
      log,
      clock,
      onRead: metrics.read,
      ...RULES_PACE,
    }),
  );
  const points = started.use(makePointLog(pool, { onCommit: metrics.committed }));

  const keyFile = settings.encryptionKeyFile ?? path.join(settings.dataDir, "encryption.key");
  const keyring = openKeyring(keyFile, { make: settings.encryptionKeyFile === undefined });
  await checkKeys(db, keyring, { replaceLost: settings.replaceLostEncryptionKey, keyFile, log });
  const vault = makeVault(keyring, keyFile);
  const signals = started.use(startSignals(target, { log, clock }));
  const onLapsed = ({ kind, state }: Lapsed) => metrics.workLapsed(kind, state);
  started.use(startLeaseKeeper({ pool, log, clock, onLapsed }));
  started.use(startAssigner({ pool, signals, log }));
  started.use(startResealer({ db, keyring, log, clock }));
  const dialler = makeDialler(makeServerPolicy(settings.egressAllow));
  const onAttempt = metrics.deliveryAttempted;
  const mail = readMail(settings);
  started.use(startNotifier({ db, signals, log }));
  started.use(startDeliverer({ pool, vault, signals, dialler, mail, log, clock, onAttempt }));

  const authenticator = makeAuthenticator(db, clock);
  const draining = new AbortController();
  const readiness = makeReadiness(db, draining.signal, clock);
  const ingest = makeIngest({
    series: makeSeriesResolver(db, clock),
    metadata: makeMetadataKeeper(db),
    points,
    clock,
    retentionMs: settings.retention,
    onWritten: metrics.ingested,
  });
  const certificates =
    settings.tls === "on"
      ? started.use(
          await loadCertificates({
            ...(settings.tlsCert && { certFile: settings.tlsCert }),
            ...(settings.tlsKey && { keyFile: settings.tlsKey }),
            directory: settings.dataDir,
            hostnames: settings.tlsHostnames,
            log,
          }),
        )
      : undefined;
  const heartbeatIntervalMs = settings.heartbeatInterval;
  started.use(startSystemWatch({ db, keyring, certificates, heartbeatIntervalMs, log, clock }));
  if (!certificates) {
    log.warn(
      { listen: settings.listen },
      "TLS is off: credentials cross the network in cleartext unless a proxy in front ends TLS",
    );
  }
  let port = settings.listen.port;
  const publicUrl = () => settings.publicUrl?.replace(/\/+$/, "") ?? ownUrl(settings, port);
  const deployment = { publicUrl, authority: () => pinnedAuthority(certificates, publicUrl()) };
  const packages =
    settings.packagesDir === undefined
      ? undefined
      : await openPackages(
          settings.packagesDir,
          settings.packagesKey,
          { ...deployment, publisher: settings.packagesPublisher },
          log,
        );
  const shared = { db, pool, settings, log, clock, authenticator, readiness, metrics };
  const limits = {
    calls: makeRateLimit(settings.callsPerSecond, settings.callsPerSecond * 5, clock),
    anonymous: makeRateLimit(
      settings.anonymousCallsPerSecond,
      settings.anonymousCallsPerSecond * 3,
      clock,
    ),
  };
  const gate = makeGate(authenticator, limits, makePaths(db, clock));
  const parts = { ...shared, ...deployment, packages, gate, ingest, vault, signals };
  const routes = makeRoutes(parts);
  requireRules(routes.map(({ service }) => service));

  /** First it is told that the server stops, then what still runs is ended. */
  const ending = new AbortController();
  const accounts = makeAccounts({ log, clock, onDone: metrics.called });
  const router = createConnectRouter({
    maxTimeoutMs: LONGEST_CALL_MS,
    shutdownSignal: ending.signal,
    acceptCompression: [gzip],
    jsonOptions: JSON_OPTIONS,
    requestGate: handleRefusals(accounts, gate),
    interceptors: [handleRequests(accounts), confirmCallers(gate), createValidateInterceptor()],
  });
  register(router, routes);
  const direct = directRoutes({
    ingest,
    gate,
    accounts,
    mostBytes: mostBytes(MetricsService),
    longestCallMs: LONGEST_CALL_MS,
    stopping: ending.signal,
  });
  const console = settings.console ? await loadConsole(log) : undefined;
  const dispatch = makeDispatch({
    handlers: router.handlers,
    plain: [...makePlainRoutes({ readiness, metrics, gate, console }), direct.plain],
    // Paths of the console mean something to its page only.
    elsewhere: (exchange) => {
      if (packages?.answer(exchange)) return true;
      if (!console || !wantsPage(exchange)) return false;
      console.page(exchange);
      return true;
    },
    contextValues: ({ origin }) => createContextValues().set(originKey, origin),
    mostBytes,
    log,
  });
  const proxies = readNetworks(settings.trustedProxies);
  /** The client's own origin, where proxies of ours stand in between. */
  const behindProxies = (origin: Origin, forwardedFor: string | null | undefined): Origin => {
    const address = clientAddress(origin.address, forwardedFor ?? undefined, proxies);
    return { ...origin, address };
  };
  const isProxied = settings.trustedProxies.length > 0;
  const proxied: Handler = (exchange) => {
    const { headers } = exchange.request;
    exchange.origin = behindProxies(exchange.origin, headers["x-forwarded-for"]?.toString());
    dispatch(exchange);
  };
  const proxiedFast: FastRoute = {
    ...direct.fast,
    respond: (call) => {
      const origin = behindProxies(call.origin, call.headers.get("x-forwarded-for"));
      return direct.fast.respond({ ...call, origin });
    },
  };

  const listener = started.use(
    await listen({
      at: settings.listen,
      tls: certificates?.current,
      log,
      handler: isProxied ? proxied : dispatch,
      fastRoute: isProxied ? proxiedFast : direct.fast,
      limits: {
        connections: settings.maxConnections,
        connectionsPerAddress: settings.maxConnectionsPerAddress,
      },
      clock,
    }),
  );
  port = listener.port;
  await noteAddress(db, { url: publicUrl(), wasSet: settings.publicUrl !== undefined });
  certificates?.onChange((pair) => listener.setKeyPair(pair));
  metrics.watchConnections(() => listener.connections);
  started.defer(async () => {
    draining.abort();
    await listener.drain(settings.drainTimeout);
    ending.abort(new ConnectError("the server is stopping; try again", Code.Unavailable));
  });

  const stack = started.move();
  let stopped: Promise<void> | undefined;
  return {
    url: `${certificates ? "https" : "http"}://localhost:${listener.port}`,
    caFile: certificates?.caFile,
    setupSecret,
    [Symbol.asyncDispose]: () => {
      stopped ??= stack.disposeAsync();
      return stopped;
    },
  };
}

/** What it takes to send mail; undefined for a server that sends none. */
function readMail({ smtpUrl, smtpCaFile, mailFrom }: ServerSettings) {
  if (!smtpUrl) return undefined;
  if (!mailFrom) {
    throw new SettingsError(
      '--smtp-url needs a sender: give --mail-from, such as "Lumetry <lumetry@example.com>".',
    );
  }
  try {
    const ca = smtpCaFile && readFileSync(smtpCaFile, "utf8");
    return { server: smtpUrl, from: mailFrom, ca };
  } catch (error) {
    throw new SettingsError(`--smtp-ca-file cannot be read: ${(error as Error).message}`);
  }
}

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** The address that other machines most likely reach this one at, if any can. */
function ownUrl({ tls, tlsHostnames, listen }: ServerSettings, port: number): string {
  const host = tlsHostnames[0] ?? (LOOPBACK.test(listen.host) ? "localhost" : os.hostname());
  const name = host.includes(":") ? `[${host}]` : host;
  return new URL(`${tls === "on" ? "https" : "http"}://${name}:${port}`).origin;
}
