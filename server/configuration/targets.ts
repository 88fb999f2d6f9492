import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { AcknowledgeConfigRequest_Outcome as Outcome } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import type { ConfigurationSchema } from "../../gen/lumetry/v1/configuration_service_pb.js";
import type { Database } from "../db/database.ts";
import { findEdge, type LockedEdge, lockEdge } from "../edges/store.ts";
import { findProfile, lockProfile, type ProfileRow } from "../enrollment-profiles/store.ts";
import type { Page } from "../page.ts";
import * as profiles from "./profile-store.ts";
import * as edges from "./store.ts";

export type Revision = MessageInitShape<typeof ConfigurationSchema> & {
  revision: bigint;
  document: string;
};

export interface Publication {
  revision: bigint;
  document: string;
  publishedBy: string;
  revertedFrom: bigint;
}

/** Something that configuration is published for, found in the caller's workspace. */
export interface Target {
  displayName: string;
  latestRevision: bigint;
  find(revision: bigint): Promise<Revision | undefined>;
  latest(): Promise<Revision | undefined>;
  list(page: Page): Promise<Revision[]>;
  insert(publication: Publication): Promise<void>;
}

const OUTCOMES = { applied: Outcome.APPLIED, rejected: Outcome.REJECTED } as const;

/**
 * The collector, agent or profile of an id; undefined when the workspace has none such. Whoever
 * is to insert has it locked, in a transaction.
 */
export async function findTarget(
  db: Database,
  workspaceId: string,
  targetId: string,
  lock: "locked" | "unlocked",
): Promise<Target | undefined> {
  if (targetId.startsWith("epr.")) {
    const find = lock === "locked" ? lockProfile : findProfile;
    return profileTarget(db, await find(db, workspaceId, targetId));
  }
  const find = lock === "locked" ? lockEdge : findEdge;
  return edgeTarget(db, await find(db, workspaceId, targetId));
}

function edgeTarget(db: Database, edge: LockedEdge | undefined): Target | undefined {
  if (!edge) return undefined;
  return {
    displayName: edge.display_name,
    latestRevision: edge.latest_revision,
    find: async (revision) => toEdgeRevision(await edges.findConfig(db, edge, revision)),
    latest: async () => toEdgeRevision(await edges.findLatestConfig(db, edge)),
    list: async (page) => {
      const rows = await edges.listConfigs(db, edge, page);
      return rows.map(toEdgeRevision).filter((row) => row !== undefined);
    },
    insert(publication) {
      if (edge.status === "revoked") {
        throw new ConnectError(`the ${edge.kind} is revoked, for good`, Code.FailedPrecondition);
      }
      return edges.insertConfig(db, edge, publication);
    },
  };
}

function profileTarget(db: Database, profile: ProfileRow | undefined): Target | undefined {
  if (!profile) return undefined;
  return {
    displayName: profile.display_name,
    latestRevision: profile.latest_revision,
    find: async (revision) => toProfileRevision(await profiles.findConfig(db, profile, revision)),
    latest: async () => toProfileRevision(await profiles.findLatestConfig(db, profile)),
    list: async (page) => {
      const rows = await profiles.listConfigs(db, profile, page);
      return rows.map(toProfileRevision).filter((row) => row !== undefined);
    },
    insert: (publication) => profiles.insertConfig(db, profile, publication),
  };
}

interface Published {
  revision: bigint;
  document: string;
  published_at: Date;
  published_by: string;
  reverted_from: bigint;
}

const toPublished = (row: Published) => ({
  revision: row.revision,
  document: row.document,
  publishTime: timestampFromDate(row.published_at),
  publisher: row.published_by,
  revertedFrom: row.reverted_from,
});

function toEdgeRevision(row: Awaited<ReturnType<typeof edges.findConfig>>): Revision | undefined {
  if (!row) return undefined;
  return {
    ...toPublished(row),
    outcome: row.outcome ? OUTCOMES[row.outcome] : Outcome.UNSPECIFIED,
    reason: row.reason,
    ignoredKeys: row.ignored_keys,
    profileRevision: row.profile_revision ?? 0n,
    ...(row.offered_at && { offerTime: timestampFromDate(row.offered_at) }),
    ...(row.acknowledged_at && { acknowledgeTime: timestampFromDate(row.acknowledged_at) }),
  };
}

function toProfileRevision(
  row: Awaited<ReturnType<typeof profiles.findConfig>>,
): Revision | undefined {
  if (!row) return undefined;
  return {
    ...toPublished(row),
    appliedAgents: row.applied_agents ?? 0n,
    rejectedAgents: row.rejected_agents ?? 0n,
  };
}
