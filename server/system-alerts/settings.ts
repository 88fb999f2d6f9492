import type { Selectable } from "kysely";
import { definedOnly } from "../../lib/defined.ts";
import type { Database } from "../db/database.ts";
import { ALL_KINDS, KINDS, type KindSettings, kindName, type WatchableKind } from "./kinds.ts";
import type { SystemAlertTables } from "./table.ts";

/** How a workspace watches each kind. */
export type WorkspaceSettings = Record<WatchableKind, KindSettings>;

type Row = Selectable<SystemAlertTables["system_alert_settings"]>;

export async function readSettings(db: Database, workspaceId: string): Promise<WorkspaceSettings> {
  const rows = await db
    .selectFrom("system_alert_settings")
    .selectAll()
    .where("workspace_id", "=", workspaceId)
    .execute();
  const changes = new Map(rows.map((row) => [row.system_kind, row]));
  return Object.fromEntries(
    ALL_KINDS.map((kind) => [kind, settle(KINDS[kind].defaults, changes.get(kindName(kind)))]),
  ) as WorkspaceSettings;
}

function settle(defaults: KindSettings, row: Row | undefined): KindSettings {
  return {
    enabled: row?.enabled ?? defaults.enabled,
    severity: row?.severity ?? defaults.severity,
    threshold: row?.threshold ?? defaults.threshold,
    holdDownMs: Number(row?.hold_down_ms ?? defaults.holdDownMs),
    recoveryMs: Number(row?.recovery_ms ?? defaults.recoveryMs),
  };
}

/** Changes what is given and leaves the rest. */
export async function changeSettings(
  db: Database,
  workspaceId: string,
  kind: WatchableKind,
  change: Partial<KindSettings>,
): Promise<void> {
  const values = definedOnly({
    enabled: change.enabled,
    severity: change.severity,
    threshold: change.threshold,
    hold_down_ms: change.holdDownMs === undefined ? undefined : BigInt(change.holdDownMs),
    recovery_ms: change.recoveryMs === undefined ? undefined : BigInt(change.recoveryMs),
  });
  const key = { workspace_id: workspaceId, system_kind: kindName(kind) };
  await db
    .insertInto("system_alert_settings")
    .values({ ...key, ...values })
    .onConflict((conflict) => {
      const same = conflict.columns(["workspace_id", "system_kind"]);
      return Object.keys(values).length > 0 ? same.doUpdateSet(values) : same.doNothing();
    })
    .execute();
}

export async function resetSettings(
  db: Database,
  workspaceId: string,
  kind: WatchableKind,
): Promise<void> {
  await db
    .deleteFrom("system_alert_settings")
    .where("workspace_id", "=", workspaceId)
    .where("system_kind", "=", kindName(kind))
    .execute();
}
