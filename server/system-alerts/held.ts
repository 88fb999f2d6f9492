import { type AlertRow, keyOfAlert } from "../alerts/store.ts";
import type { AlertChange } from "../alerts/transitions.ts";
import type { Database } from "../db/database.ts";
import { findSuppressions } from "./suppression.ts";

/** When what explained it is over: until then it may be well by itself. */
const GRACE_MS = 60_000;

/**
 * What becomes of alerts that nobody is told of: one that was explained is held once the explanation is over;
 * one that is held is explained when an explanation fires, and held for longer while one is suspected.
 */
export async function reconsider(db: Database, workspaceId: string): Promise<AlertChange[]> {
  const unexplained = await listUnexplained(db, workspaceId);
  const held = await listHeld(db, workspaceId);
  const edgeIds = [...unexplained, ...held].flatMap(({ subject_edge_id: id }) => id ?? []);
  const suppressions = await findSuppressions(db, workspaceId, [...new Set(edgeIds)]);
  const judge = (row: AlertRow, otherwise: AlertChange[]): AlertChange[] => {
    const { suppressedBy, isSuspected, holdMs } = suppressions.get(row.subject_edge_id ?? "") ?? {};
    const key = keyOfAlert(row);
    if (suppressedBy) return [{ kind: "update", key, suppressedBy, heldForMs: null }];
    if (isSuspected && holdMs) {
      return [{ kind: "update", key, suppressedBy: null, heldForMs: holdMs }];
    }
    return otherwise;
  };
  return [
    ...unexplained.flatMap((row) =>
      judge(row, [
        { kind: "update", key: keyOfAlert(row), suppressedBy: null, heldForMs: GRACE_MS },
      ]),
    ),
    ...held.flatMap((row) => judge(row, [])),
  ];
}

const selectUntold = (db: Database, workspaceId: string) =>
  db
    .selectFrom("alerts")
    .selectAll("alerts")
    .where("alerts.workspace_id", "=", workspaceId)
    .where("alerts.state", "=", "firing");

/** Firing alerts of which the explanation does not fire any more. */
function listUnexplained(db: Database, workspaceId: string): Promise<AlertRow[]> {
  return selectUntold(db, workspaceId)
    .where("alerts.suppressed_by", "is not", null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom("alerts as cause")
            .select("cause.alert_id")
            .whereRef("cause.workspace_id", "=", "alerts.workspace_id")
            .whereRef("cause.alert_id", "=", "alerts.suppressed_by")
            .where("cause.state", "=", "firing"),
        ),
      ),
    )
    .execute();
}

function listHeld(db: Database, workspaceId: string): Promise<AlertRow[]> {
  return selectUntold(db, workspaceId)
    .where("alerts.suppressed_by", "is", null)
    .where("alerts.held_until", "is not", null)
    .execute();
}
