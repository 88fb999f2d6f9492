import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { givenCertificate } from "../lib/certificates/given.ts";
import type { Pair } from "../lib/certificates/pair.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { startLoop } from "../lib/loop.ts";
import { SettingsError } from "../lib/settings.ts";
import { localCertificate } from "./certificates/local.ts";
import { certifiedNames } from "./certificates/names.ts";

const FLAGS = { cert: "--tls-cert", key: "--tls-key" };

/** What the listener serves TLS with. */
export interface Certificates extends Disposable {
  readonly current: Pair;
  /** The authority for clients to trust, when the certificate was made locally. */
  readonly caFile: string | undefined;
  /** Called with each pair that takes the place of the one before. */
  onChange(listener: (pair: Pair) => void): void;
}

/**
 * Loads the certificate of two PEM files and re-reads them when they change, or, when none are
 * given, makes one for a trial in `tls` below `directory` and renews it. Throws a SettingsError that
 * says what to do when the files will not do at the start; later a bad change keeps the good pair.
 */
export async function loadCertificates(options: {
  certFile?: string | undefined;
  keyFile?: string | undefined;
  directory: string;
  /** Names and addresses for a locally made certificate, besides this machine's own. */
  hostnames: string[];
  log: Log;
  clock?: Clock;
}): Promise<Certificates> {
  const { certFile, keyFile, log, clock = systemClock } = options;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const missing = certFile === undefined ? "--tls-cert" : "--tls-key";
    throw new SettingsError(`--tls-cert and --tls-key belong together: give ${missing} as well.`);
  }
  const source =
    certFile && keyFile
      ? await givenCertificate(certFile, keyFile, FLAGS, { log, clock })
      : await localCertificate(path.join(options.directory, "tls"), options.hostnames, {
          log,
          clock,
        });
  let current = source.first;
  const listeners: ((pair: Pair) => void)[] = [];
  const stop = new AbortController();
  startLoop(
    async () => {
      const newer = await source.refresh();
      if (!newer || stop.signal.aborted) return;
      current = newer;
      for (const listener of listeners) listener(newer);
    },
    {
      every: () => source.everyMs,
      signal: stop.signal,
      clock,
      onError: (error) => log.error({ err: error }, "the certificate could not be looked after"),
    },
  );
  return {
    get current() {
      return current;
    },
    caFile: source.caFile,
    onChange: (listener) => void listeners.push(listener),
    [Symbol.dispose]: () => stop.abort(),
  };
}

/**
 * The authority that whoever calls an address has to be given, in PEM form; "" where the certificate
 * was not made here, or where something else answers at that address.
 */
export function pinnedAuthority(certificates: Certificates | undefined, url: string): string {
  if (certificates?.caFile === undefined) return "";
  const { hostname } = new URL(url);
  const names = certifiedNames(new X509Certificate(certificates.current.cert));
  return names.includes(hostname.replace(/^\[|\]$/g, ""))
    ? readFileSync(certificates.caFile, "utf8")
    : "";
}
