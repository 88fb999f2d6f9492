import { makeId } from "../../lib/ids.ts";
import type { Database } from "../db/database.ts";
import type { ServerSettings } from "../settings.ts";
import { insertZone } from "../zones/store.ts";
import { insertWorkspace, type WorkspaceRow } from "./store.ts";

/** Makes a workspace with a zone named "default", so that a collector can be registered at once. */
export async function foundWorkspace(
  db: Database,
  displayName: string,
  settings: ServerSettings,
): Promise<WorkspaceRow> {
  const workspace = await insertWorkspace(db, {
    workspaceId: makeId("wsp"),
    displayName,
    seriesLimit: settings.seriesLimit,
  });
  await insertZone(db, {
    workspace_id: workspace.workspace_id,
    zone_id: makeId("zon"),
    display_name: "default",
    allowed_networks: [],
  });
  return workspace;
}
