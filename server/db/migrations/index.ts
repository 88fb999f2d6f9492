import type { Migration } from "kysely/migration";
import * as foundation from "./0001-foundation.ts";
import * as agents from "./0002-agents.ts";
import * as chunks from "./0003-chunks.ts";
import * as work from "./0004-work.ts";
import * as alerts from "./0005-alerts.ts";
import * as incidents from "./0006-incidents.ts";
import * as systemAlerts from "./0007-system-alerts.ts";
import * as edgeContacts from "./0008-edge-contacts.ts";
import * as alertUpkeep from "./0009-alert-upkeep.ts";
import * as movedAssignments from "./0010-moved-assignments.ts";
import * as cheaperClaims from "./0011-cheaper-claims.ts";

/** In order, by name, append-only: a migration that has been released never changes. */
export const migrations: Record<string, Migration> = {
  "0001-foundation": foundation,
  "0002-agents": agents,
  "0003-chunks": chunks,
  "0004-work": work,
  "0005-alerts": alerts,
  "0006-incidents": incidents,
  "0007-system-alerts": systemAlerts,
  "0008-edge-contacts": edgeContacts,
  "0009-alert-upkeep": alertUpkeep,
  "0010-moved-assignments": movedAssignments,
  "0011-cheaper-claims": cheaperClaims,
};
