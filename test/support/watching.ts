import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { silentLog } from "../../lib/log.ts";
import { connectDatabase } from "../../server/db/database.ts";
import { lookAfterOne } from "../../server/system-alerts/round.ts";
import { enterWatches } from "../../server/system-alerts/store.ts";
import type { TestServer } from "./server.ts";

/** Heartbeats come this often, and somebody looks twice as often. */
export const INTERVAL_MS = 30_000;
export const STEP_MS = 15_000;

export interface AlertLine {
  alert_id: string;
  origin: string;
  system_kind: string | null;
  group_key: string;
  state: string;
  summary: string;
  labels: Record<string, string>;
  evidence: Record<string, unknown>;
  severity: string;
  suppressed_by: string | null;
  resolve_reason: string;
  /** Whether somebody was told. */
  told: boolean;
}

/** Lets time pass for a server's database, as fast as its system alerts can be looked after. */
export interface Watching extends AsyncDisposable {
  /** What a clock that is right shows now. */
  now(): ReturnType<typeof timestampFromMs>;
  /** Lets time pass in steps of fifteen seconds; after each, `live` does what happens meanwhile. */
  pass(ms: number, live?: (passedMs: number) => Promise<unknown>): Promise<void>;
  /** Lets time pass with nobody looking, as while all servers are down. */
  skip(ms: number): Promise<void>;
  /** Looks now. */
  look(): Promise<void>;
  /** All alerts, oldest first. */
  alerts(): Promise<AlertLine[]>;
}

export async function watch(server: TestServer): Promise<Watching> {
  const database = connectDatabase({ url: server.databaseUrl }, { log: silentLog, connections: 2 });
  const [clock] = await server.sql<{ begun: string }>("select clock_timestamp()::text as begun");
  const begun = clock?.begun ?? "";
  let shiftMs = 0;
  /** Between two shifts time almost stands still, however busy the machine is. */
  const shift = (ms: number) => {
    shiftMs += ms;
    return server.sql(
      `create or replace function wall_clock() returns timestamptz language sql volatile parallel safe
       as $$ select timestamptz '${begun}' + (clock_timestamp() - timestamptz '${begun}') / 1000
         + ${shiftMs} * interval '1 millisecond' $$`,
    );
  };
  await shift(0);
  // The server itself looks for new workspaces every few seconds only.
  await enterWatches(database.db);
  const look = async () => {
    await server.sql("update system_alert_watches set due_at = '2000-01-01'");
    for (;;) {
      const failures: unknown[] = [];
      const onError = (error: unknown) => failures.push(error);
      const options = { db: database.db, heartbeatIntervalMs: INTERVAL_MS };
      while (await lookAfterOne({ ...options, onError })) {
        // Until none is due.
      }
      if (failures.length > 0) throw failures[0];
      // The server itself may have been faster: then it is waited for.
      const left = await server.sql(
        "select from system_alert_watches where due_at = '2000-01-01' for update",
      );
      if (left.length === 0) return;
    }
  };
  // Nobody comes back from a gap unless the test makes one.
  await look();
  await server.sql("update system_alert_watches set watched_since = '2000-01-01'");
  return {
    now: () => timestampFromMs(Date.parse(begun) + shiftMs),
    async pass(ms, live) {
      for (let passed = 0; passed < ms; passed += STEP_MS) {
        await shift(STEP_MS);
        await live?.(passed + STEP_MS);
        await look();
      }
    },
    skip: async (ms) => void (await shift(ms)),
    look,
    alerts: () =>
      server.sql<AlertLine>(
        `select alert_id, origin, system_kind, group_key, state, summary, labels, evidence, severity,
           suppressed_by, resolve_reason, told_at is not null as told
         from alerts order by created_at, alert_id`,
      ),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
