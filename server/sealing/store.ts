import { sql } from "kysely";
import type { Database } from "../db/database.ts";
import type { Keyring } from "./keyring.ts";

/** Keys that something in the database may be sealed under and that this server does not have. */
export async function findMissingKeys(db: Database, keyring: Keyring): Promise<string[]> {
  const rows = await db.selectFrom("encryption_keys").select("key_id").execute();
  return rows.map(({ key_id }) => key_id).filter((id) => !keyring.has(id));
}

/**
 * Notes that the sealing key is in use, before anything is sealed under it. Answers keys in use that
 * this server does not have; then nothing is noted. Belongs into the transaction that seals.
 */
export async function admitKey(db: Database, keyring: Keyring): Promise<string[]> {
  const isKnown = await db
    .selectFrom("encryption_keys")
    .select("key_id")
    .where("key_id", "=", keyring.sealingKey)
    .executeTakeFirst();
  // Two servers with keys of their own must not both be the first.
  if (!isKnown) await sql`lock table encryption_keys in share row exclusive mode`.execute(db);
  const missing = await findMissingKeys(db, keyring);
  if (missing.length === 0 && !isKnown) {
    await db
      .insertInto("encryption_keys")
      .values({ key_id: keyring.sealingKey })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  return missing;
}

/** Forgets keys that were lost for good: what is sealed under them is to be given anew. */
export async function forgetKeys(db: Database, keyIds: readonly string[]): Promise<void> {
  if (keyIds.length === 0) return;
  await db.deleteFrom("encryption_keys").where("key_id", "in", keyIds).execute();
}

/** A column that holds sealed values, and what tells the place of each. */
interface SealedColumn {
  table: "sources" | "channels";
  column: "secrets" | "headers" | "secret" | "previous_secret" | "sealed_url";
  id: "source_id" | "channel_id";
}

const SEALED: SealedColumn[] = [
  { table: "sources", column: "secrets", id: "source_id" },
  { table: "channels", column: "headers", id: "channel_id" },
  { table: "channels", column: "secret", id: "channel_id" },
  { table: "channels", column: "previous_secret", id: "channel_id" },
  { table: "channels", column: "sealed_url", id: "channel_id" },
];

/** The part of a channel that a column is sealed as; headers go to their target only. */
const PARTS: Partial<Record<SealedColumn["column"], string>> = {
  secret: "secret",
  previous_secret: "secret",
  sealed_url: "url",
};

/** Where a value is sealed for; `target` is the host and port that it is bound to. */
export const sourcePlace = (workspaceId: string, sourceId: string, target: string) => [
  "source",
  workspaceId,
  sourceId,
  target,
];
export const channelPlace = (workspaceId: string, channelId: string, part: string) => [
  "channel",
  workspaceId,
  channelId,
  part,
];

interface SealedRow {
  workspace_id: string;
  id: string;
  target: string;
  value: Buffer;
}

function placeOf({ table, column }: SealedColumn, row: SealedRow): string[] {
  if (table === "sources") return sourcePlace(row.workspace_id, row.id, row.target);
  return channelPlace(row.workspace_id, row.id, PARTS[column] ?? row.target);
}

/**
 * Seals anew what is sealed under another key than the one that seals now, and forgets keys that
 * nothing is sealed under any more. Answers how many values there were. Values that do not open are
 * left. Safe on any number of servers at once.
 */
export async function reseal(db: Database, keyring: Keyring): Promise<number> {
  let count = 0;
  const current = Buffer.concat([Buffer.from([1]), Buffer.from(keyring.sealingKey, "hex")]);
  for (const sealed of SEALED) {
    const [table, column, id] = [sealed.table, sealed.column, sealed.id].map((name) =>
      sql.ref(name),
    );
    const { rows } = await sql<SealedRow>`
      select workspace_id, ${id} as id, target, ${column} as value from ${table}
      where ${column} is not null and substring(${column} from 1 for 9) <> ${current}
    `.execute(db);
    for (const row of rows) {
      const place = placeOf(sealed, row);
      let again: Buffer;
      try {
        again = keyring.seal(keyring.open(row.value, place), place);
      } catch {
        continue;
      }
      // Unless somebody has set it meanwhile.
      const { numAffectedRows = 0n } = await sql`
        update ${table} set ${column} = ${again}
        where workspace_id = ${row.workspace_id} and ${id} = ${row.id} and ${column} = ${row.value}
      `.execute(db);
      count += Number(numAffectedRows);
    }
  }
  await forgetUnusedKeys(db, keyring);
  return count;
}

async function forgetUnusedKeys(db: Database, keyring: Keyring): Promise<void> {
  const used = sql.join(
    SEALED.map(
      ({ table, column }) =>
        sql`select encode(substring(${sql.ref(column)} from 2 for 8), 'hex') from ${sql.ref(table)}
          where ${sql.ref(column)} is not null`,
    ),
    sql` union all `,
  );
  await sql`
    delete from encryption_keys
    where key_id <> ${keyring.sealingKey}
      -- One that was registered just now may be about to be used.
      and created_at < wall_clock() - interval '1 hour'
      and key_id not in (${used})
  `.execute(db);
}
