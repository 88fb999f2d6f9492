/** A server's evaluation of rules, with the telling of alerts, in a process of its own, which may be killed at any time. */
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../../lib/clock.ts";
import { makeDialler } from "../../lib/egress/dialler.ts";
import { silentLog } from "../../lib/log.ts";
import { makeServerPolicy } from "../../server/channels/egress.ts";
import { connectDatabase } from "../../server/db/database.ts";
import { startDeliverer } from "../../server/jobs/deliver.ts";
import { startLeaseKeeper } from "../../server/jobs/expire-leases.ts";
import { startNotifier } from "../../server/jobs/notify.ts";
import { startReader } from "../../server/readers/reader.ts";
import { rulesReader } from "../../server/rules/reader.ts";
import { openKeyring } from "../../server/sealing/keyring.ts";
import { makeVault } from "../../server/sealing/vault.ts";
import { startSignals } from "../../server/work/signals.ts";
import { makeLateOutbox } from "./late-outbox.ts";

const [url = "", keyFile = "", bug = ""] = process.argv.slice(2);
const log = silentLog;
const clock = systemClock;
const { db, pool } = connectDatabase({ url }, { log, connections: 6 });
// Small portions and short leases: many moments at which it can be killed.
const rules = { ...rulesReader({ log }), portionBytes: 12_000, keptMs: 200 };
const outbox = makeLateOutbox(pool);

startReader(bug === "late-outbox" ? outbox.behind(rules) : rules, {
  db,
  pool,
  log,
  clock,
  leaseMs: 600,
  pollMs: 20,
  onRead: (_reader, segments) => {
    if (outbox.readEnded()) process.send?.("late");
    if (segments > 0) process.send?.("read");
  },
});

const signals = startSignals({ url }, { log, clock });
startNotifier({ db, signals, log });
startDeliverer({
  pool,
  vault: makeVault(openKeyring(keyFile, { make: false }), keyFile),
  signals,
  dialler: makeDialler(makeServerPolicy(["127.0.0.0/8"])),
  mail: undefined,
  log,
  clock,
  onAttempt: () => {},
});
startLeaseKeeper({ pool, log, clock, onLapsed: () => {} });

/** As if windows were kept in memory only: whoever takes over knows no point of before. */
async function forgetPoints(): Promise<void> {
  for (;;) {
    await wait(50);
    await pool
      .query("delete from rule_points")
      .then(() => pool.query("update rule_progress set state_token = ''"))
      .catch(() => {}); // it may lose against an evaluator that writes
  }
}
if (bug === "forget-points") void forgetPoints();
process.once("disconnect", () => process.exit());
