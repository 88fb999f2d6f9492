import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import type { Database } from "../db/database.ts";
import type { Keyring } from "../sealing/keyring.ts";
import { reseal } from "../sealing/store.ts";

const EVERY_MS = 3_600_000;

/** After the key was changed, encrypts under the new one what is under an older one. */
export function startResealer(parts: {
  db: Database;
  keyring: Keyring;
  log: Log;
  clock: Clock;
}): AsyncDisposable {
  const { db, keyring, log, clock } = parts;
  const stop = new AbortController();
  const loop = startLoop(
    async () => {
      const count = await reseal(db, keyring);
      const fields = { count, encryptionKey: keyring.sealingKey };
      if (count > 0) log.info(fields, "stored secrets were encrypted under the newest key");
    },
    {
      every: () => EVERY_MS,
      jitter: 0.1,
      clock,
      signal: stop.signal,
      onError: (error) =>
        log.warn({ err: error }, "stored secrets could not be encrypted anew; tried again"),
    },
  );
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop.done;
    },
  };
}
