import { type ColumnType, type Generated, Kysely, PostgresDialect, sql } from "kysely";
import { Migrator } from "kysely/migration";
import pg from "pg";
import type { Log } from "../../lib/log.ts";
import type { AccessTables } from "../access/table.ts";
import type { AgentTables } from "../agents/table.ts";
import type { AlertTables } from "../alerts/table.ts";
import type { AssignmentTables } from "../assignments/table.ts";
import type { AuditTables } from "../audit/table.ts";
import type { ChannelTables } from "../channels/table.ts";
import type { ChunkTables } from "../chunks/table.ts";
import type { CollectorTables } from "../collectors/table.ts";
import type { ConfigurationTables } from "../configuration/table.ts";
import type { EdgeTables } from "../edges/table.ts";
import type { ProfileTables } from "../enrollment-profiles/table.ts";
import type { IncidentTables } from "../incidents/table.ts";
import type { PointTables } from "../log/table.ts";
import type { RouteTables } from "../notification-routes/table.ts";
import type { NotificationTables } from "../notifications/table.ts";
import type { ReaderTables } from "../readers/table.ts";
import type { RuleTables } from "../rules/table.ts";
import type { SealingTables } from "../sealing/table.ts";
import type { SilenceTables } from "../silences/table.ts";
import type { SourceTables } from "../sources/table.ts";
import type { SystemAlertTables } from "../system-alerts/table.ts";
import type { TopologyTables } from "../topology/table.ts";
import type { WorkTables } from "../work/table.ts";
import type { ZoneTables } from "../zones/table.ts";
import { migrations } from "./migrations/index.ts";

export interface Tables
  extends AccessTables,
    AssignmentTables,
    AgentTables,
    AlertTables,
    AuditTables,
    ChunkTables,
    ChannelTables,
    CollectorTables,
    ConfigurationTables,
    EdgeTables,
    IncidentTables,
    NotificationTables,
    PointTables,
    RouteTables,
    RuleTables,
    SealingTables,
    SilenceTables,
    SourceTables,
    SystemAlertTables,
    WorkTables,
    ProfileTables,
    ReaderTables,
    TopologyTables,
    ZoneTables {}

/** A database or a transaction on it; stores take it as their first argument. */
export type Database = Kysely<Tables>;

/** A column that the database fills unless told otherwise. */
export type Filled<T> = Generated<T>;
/** A time: read as Date, written as Date or SQL. */
export type Time = ColumnType<Date, Date, Date>;

/** The database's clock, the only one in SQL. */
export const wallClock = sql<Date>`wall_clock()`;

/** A time `ms` milliseconds from now on the database's clock. */
export const fromNow = (ms: number) =>
  sql<Date>`wall_clock() + ${ms}::double precision * interval '1 millisecond'`;

export interface DatabaseConnection {
  readonly db: Database;
  /** For LISTEN and for statements that Kysely would only get in the way of. */
  readonly pool: pg.Pool;
  [Symbol.asyncDispose](): Promise<void>;
}

export type ConnectionTarget = { url: string } | pg.ClientConfig;

/** Connects lazily; survives restarts of PostgreSQL. int8 is read as bigint. */
export function connectDatabase(
  target: ConnectionTarget,
  options: { log: Log; connections: number },
): DatabaseConnection {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, BigInt);
  const pool = new pg.Pool({
    ...("url" in target ? { connectionString: target.url } : target),
    types,
    max: options.connections,
    connectionTimeoutMillis: 10_000,
    statement_timeout: 60_000,
    application_name: "lumetry",
  });
  // One that breaks between two statements of a transaction tells nobody but its listeners, and
  // would end the process if it had none; the next statement fails.
  pool.on("connect", (client) => client.on("error", () => {}));
  // A connection that breaks while idle is replaced at the next use.
  pool.on("error", (error) => options.log.warn({ err: error }, "a database connection broke"));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, [Symbol.asyncDispose]: () => db.destroy() };
}

/** Brings the schema up to date. Safe when several servers start at once: the migrator locks. */
export async function migrate(db: Database): Promise<string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (error) throw error;
  return (results ?? []).map((result) => result.migrationName);
}

/** The name of the constraint that a failed statement would have broken, if that is why it failed. */
export function brokenConstraint(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError && error.code?.startsWith("23")
    ? error.constraint
    : undefined;
}
