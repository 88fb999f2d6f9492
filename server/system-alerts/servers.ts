import { sql } from "kysely";
import { SystemAlertKind as Kind } from "../../gen/lumetry/v1/system_alert_service_pb.js";
import { spanText } from "../../lib/age.ts";
import type { Database } from "../db/database.ts";
import { LAGS } from "../readers/lag.ts";
import type { Finding, Look } from "./findings.ts";
import { LAST_SHARE } from "./tokens.ts";

/** What no server has said of itself for so long is so no more: of a certificate, that it is in use. */
const SERVER_SEEN = sql`interval '5 minutes'`;

/** Readers of the workspace's log that are behind. */
export async function findReadersBehind({ db, workspaceId, settings }: Look): Promise<Finding[]> {
  const { enabled, threshold } = settings[Kind.LOG_READER_BEHIND];
  if (!enabled) return [];
  const { rows } = await sql<{ reader: string; seconds: number }>`
    select reader, seconds from (${sql.raw(LAGS)}) as lags
    where workspace_id = ${workspaceId} and seconds * 1000 >= ${threshold * 0.5}
  `.execute(db);
  return rows.map(({ reader, seconds }) => ({
    kind: Kind.LOG_READER_BEHIND,
    subject: reader,
    degree: seconds * 1000 >= threshold ? "amiss" : "near",
    summary: `The reader "${reader}" of the log of points is ${spanText(seconds * 1000)} behind.`,
    labels: { reader },
    value: Math.round(seconds),
  }));
}

/** Whether the workspace has almost as many series as it may. */
export async function findSeriesLimit({ db, workspaceId, settings }: Look): Promise<Finding[]> {
  const { enabled, threshold } = settings[Kind.SERIES_LIMIT_NEAR];
  if (!enabled) return [];
  const { series_count, series_limit } = await db
    .selectFrom("workspaces")
    .select(["series_count", "series_limit"])
    .where("workspace_id", "=", workspaceId)
    .executeTakeFirstOrThrow();
  const percent = (Number(series_count) / Number(series_limit)) * 100;
  if (percent < threshold * 0.95) return [];
  const [have, most] = [series_count, series_limit].map((count) => count.toLocaleString("en"));
  return [
    {
      kind: Kind.SERIES_LIMIT_NEAR,
      subject: workspaceId,
      degree: percent >= threshold ? "amiss" : "near",
      summary: `The workspace has ${have} series of the ${most} that it may have.`,
      labels: {},
      value: Math.floor(percent),
    },
  ];
}

/** Whether those who run the servers are in this workspace: then it is told about them. */
async function isOwners(db: Database, workspaceId: string): Promise<boolean> {
  const owner = await db
    .selectFrom("users")
    .select("user_id")
    .where("workspace_id", "=", workspaceId)
    .where("role", "=", "owner")
    .where("disabled", "=", false)
    .executeTakeFirst();
  return owner !== undefined;
}

/** What is amiss with the servers of the deployment: each has noted what concerns it, whichever looks. */
export async function findServerMatters({ db, workspaceId, settings }: Look): Promise<Finding[]> {
  if (!(await isOwners(db, workspaceId))) return [];
  const certificates = settings[Kind.CERTIFICATE_EXPIRING];
  const { rows } = await sql<{ fingerprint: string; names: string; left_ms: number }>`
    select fingerprint, names, extract(epoch from expires_at - wall_clock())::float8 * 1000 as left_ms
    from server_certificates
    where seen_at > wall_clock() - ${SERVER_SEEN}
      and expires_at < wall_clock() + ${certificates.threshold} * interval '1 millisecond'
      and expires_at - wall_clock() < (expires_at - starts_at) * ${LAST_SHARE}::double precision
  `.execute(db);
  const expiring = rows.map(({ fingerprint, names, left_ms }): Finding => {
    const when = left_ms > 0 ? `expires in ${spanText(left_ms)}` : "has expired";
    return {
      kind: Kind.CERTIFICATE_EXPIRING,
      subject: fingerprint,
      degree: "amiss",
      summary: `The server's certificate for ${names} ${when}.`,
      labels: {},
      value: Math.round(left_ms / 1000),
      evidence: { fingerprint, names },
    };
  });
  const { rows: lacking } = await sql<{ key_id: string; servers: string[] }>`
    select key_id, array_agg(server_name order by server_name) as servers
    from server_missing_keys join encryption_keys using (key_id)
    where seen_at > wall_clock() - ${SERVER_SEEN}
    group by key_id
  `.execute(db);
  const missing = lacking.map(({ key_id: keyId, servers }): Finding => {
    const names = [...new Set(servers)];
    return {
      kind: Kind.ENCRYPTION_KEY_MISSING,
      subject: keyId,
      degree: "amiss",
      summary: `Stored secrets are encrypted under the key ${keyId}, which is missing on ${names.join(", ")}.`,
      labels: {},
      evidence: { servers: names },
    };
  });
  return [
    ...(certificates.enabled ? expiring : []),
    ...(settings[Kind.ENCRYPTION_KEY_MISSING].enabled ? missing : []),
  ];
}

/** Says that this server serves with a certificate, and forgets those that nobody has said so of for long. */
export async function noteCertificate(
  db: Database,
  certificate: { fingerprint: string; names: string; startsAt: Date; expiresAt: Date },
): Promise<void> {
  await db
    .insertInto("server_certificates")
    .values({
      fingerprint: certificate.fingerprint,
      names: certificate.names,
      starts_at: certificate.startsAt,
      expires_at: certificate.expiresAt,
    })
    .onConflict((conflict) =>
      conflict.column("fingerprint").doUpdateSet({ seen_at: sql<Date>`wall_clock()` }),
    )
    .execute();
  await sql`
    delete from server_certificates where seen_at < wall_clock() - interval '1 day'
  `.execute(db);
}

/** Says which keys a server does not have at present; `serverId` is of its process. */
export async function noteMissingKeys(
  db: Database,
  server: { serverId: string; name: string },
  keyIds: readonly string[],
): Promise<void> {
  await sql`
    insert into server_missing_keys (server_id, key_id, server_name)
    select ${server.serverId}, key_id, ${server.name} from unnest(${keyIds}::text[]) as key (key_id)
    on conflict (server_id, key_id) do update set seen_at = wall_clock()
  `.execute(db);
  await sql`
    delete from server_missing_keys
    where seen_at < wall_clock() - interval '1 day'
      or (server_id = ${server.serverId} and key_id <> all(${keyIds}::text[]))
  `.execute(db);
}
