import { silentLog } from "../../lib/log.ts";
import {
  type AlertChange,
  type AlertDetails,
  recordTransitions,
} from "../../server/alerts/transitions.ts";
import { connectDatabase, type Database } from "../../server/db/database.ts";
import type { TestServer } from "./server.ts";

export interface Alerts extends AsyncDisposable {
  /** Alerts of one kind begin to fire, all in one transaction. */
  fire(...alerts: Described[]): Promise<void>;
  /** They end, all in one transaction. */
  resolve(...names: string[]): Promise<void>;
  change(...changes: AlertChange[]): Promise<void>;
  db: Database;
}

export type Described = Partial<AlertDetails> & {
  /** What tells it from others of its kind. */
  name: string;
  kind?: string;
};

/** Whoever judges the points or the fleet: alerts as they make them, in the database of a server. */
export function openAlerts(server: TestServer, workspaceId: string): Alerts {
  const connection = connectDatabase(
    { url: server.databaseUrl },
    { log: silentLog, connections: 4 },
  );
  const { db } = connection;
  const change = async (...changes: AlertChange[]) => {
    await db
      .transaction()
      .execute((transaction) => recordTransitions(transaction, workspaceId, changes));
  };
  const kinds = new Map<string, string>();
  const keyOf = (name: string) => ({
    origin: "system" as const,
    source: kinds.get(name) ?? "test_kind",
    groupKey: name,
  });
  return {
    db,
    change,
    fire: (...alerts) =>
      change(
        ...alerts.map(({ name, kind = `kind_of_${name}`, ...details }): AlertChange => {
          kinds.set(name, kind);
          return {
            kind: "fire",
            key: keyOf(name),
            atMs: Date.now(),
            details: { severity: "warning", summary: `${name} is wrong`, labels: {}, ...details },
          };
        }),
      ),
    resolve: (...names) =>
      change(
        ...names.map(
          (name): AlertChange => ({
            kind: "resolve",
            key: keyOf(name),
            atMs: Date.now(),
            reason: "recovered",
          }),
        ),
      ),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
