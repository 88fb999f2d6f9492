import type { X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { DAY_MS, day, type PairFlags, readPair } from "./pair.ts";
import type { Source } from "./source.ts";

const WARN_BEFORE_MS = 14 * DAY_MS;

/** What changes when a file, or the file that a link leads to, is written or replaced. */
async function stampOf(file: string): Promise<string> {
  try {
    const { dev, ino, mtimeNs, ctimeNs, size } = await stat(file, { bigint: true });
    return [dev, ino, mtimeNs, ctimeNs, size].join(":");
  } catch {
    return "missing";
  }
}

/** A certificate in files of the user's, looked at every few seconds. */
export async function givenCertificate(
  certFile: string,
  keyFile: string,
  flags: PairFlags,
  { log, clock }: { log: Log; clock: Clock },
): Promise<Source> {
  const stamp = async () => `${await stampOf(certFile)} ${await stampOf(keyFile)}`;
  let warned = Number.NEGATIVE_INFINITY;
  const warnWhenOld = (certificate: X509Certificate) => {
    const now = clock.now();
    if (certificate.validToDate.getTime() - now > WARN_BEFORE_MS || now - warned < DAY_MS) return;
    warned = now;
    const until = day(certificate.validToDate);
    log.warn({ certFile, until }, `the certificate is good until ${until} only; renew it`);
  };

  // Stamped before it is read, so that a change in between is seen as one the next time.
  let seen = await stamp();
  let { pair, certificate } = await readPair(certFile, keyFile, clock.now(), flags);
  warnWhenOld(certificate);
  return {
    first: pair,
    caFile: undefined,
    everyMs: 2_000,
    async refresh() {
      warnWhenOld(certificate);
      const now = await stamp();
      if (now === seen) return undefined;
      seen = now;
      const before = pair;
      try {
        ({ pair, certificate } = await readPair(certFile, keyFile, clock.now(), flags));
      } catch (error) {
        log.warn({ err: error }, "the changed certificate is not used; the one before it still is");
        return undefined;
      }
      if (pair.cert === before.cert && pair.key === before.key) return undefined;
      warned = Number.NEGATIVE_INFINITY;
      log.info({ certFile, until: day(certificate.validToDate) }, "the certificate was re-read");
      return pair;
    },
  };
}
