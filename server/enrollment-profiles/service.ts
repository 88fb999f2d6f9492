import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, fromJson } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { RelayHealthSchema } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import {
  type EnrollmentProfileSchema,
  type EnrollmentProfileService,
  type InstallOptions,
  InstallOptionsSchema,
  EnrollmentProfile_Status as Status,
} from "../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { refuseReservedLabels } from "../access/labels.ts";
import { recordChange } from "../audit/store.ts";
import { findCollector } from "../collectors/store.ts";
import { originOf, personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { ignoreUnknown } from "../edges/rules.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { requireCluster } from "../topology/store.ts";
import { findZone } from "../zones/store.ts";
import { type Relay, relayUrl, renderCommands } from "./commands.ts";
import { describeDeployment } from "./deployment.ts";
import * as store from "./store.ts";

const LIFETIME_MS = 86_400_000;
const USES = 100;
const TOKEN_PLACE = "lmtae_...";
const CLEARTEXT_NOTE =
  "The way to the collector is not encrypted: whoever listens on it learns the token and the agents' credentials.";

function statusOf(row: store.ProfileRow): Status {
  if (row.disabled_at) return Status.DISABLED;
  if (row.expires_at <= row.read_at) return Status.EXPIRED;
  return row.uses >= row.max_uses ? Status.EXHAUSTED : Status.ACTIVE;
}

function toProfile(row: store.ProfileRow): MessageInitShape<typeof EnrollmentProfileSchema> {
  const leftMs = row.expires_at.getTime() - row.read_at.getTime();
  return {
    profileId: row.profile_id,
    displayName: row.display_name,
    status: statusOf(row),
    zoneId: row.zone_id,
    clusterId: row.cluster_id ?? "",
    labels: row.labels,
    maxUses: Number(row.max_uses),
    remainingUses: Number(row.max_uses - row.uses),
    createTime: timestampFromDate(row.created_at),
    expireTime: timestampFromDate(row.expires_at),
    ...(leftMs > 0 && { expiresIn: durationFromMs(leftMs) }),
    ...(row.disabled_at && { disableTime: timestampFromDate(row.disabled_at) }),
    configRevision: row.latest_revision,
  };
}

export function enrollmentProfileService(
  parts: Parts,
): ServiceImpl<typeof EnrollmentProfileService> {
  const { db } = parts;
  const deployment = describeDeployment(parts, "agent");

  const require = async (context: HandlerContext, profileId: string) => {
    const profile = await store.findProfile(db, personOf(context).workspaceId, profileId);
    if (!profile) throw notFound("enrollment profile", profileId);
    return profile;
  };

  /** What commands need to know, found before anything is made. */
  const readOptions = async (
    workspaceId: string,
    options: InstallOptions = create(InstallOptionsSchema),
  ) => {
    if (options.clusterId) await requireCluster(db, workspaceId, options.clusterId);
    const relays: Relay[] = [];
    for (const id of options.collectorIds) relays.push(await findRelay(db, workspaceId, id));
    return { clusterId: options.clusterId, relays };
  };

  const render = (place: { clusterId: string; relays: Relay[] }, token: string) => {
    const present = deployment.read();
    const isCleartext = place.relays.some(({ url }) => url.startsWith("http:"));
    return {
      ...renderCommands({ ...place, ...present, token }),
      relays: place.relays,
      notes: [
        ...deployment.missing(present, ["linux", "windows"]),
        ...(isCleartext ? [CLEARTEXT_NOTE] : []),
        ...deployment.trust(present),
      ],
    };
  };

  return {
    async createEnrollmentProfile(request, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      refuseReservedLabels(request.labels);
      const place = await readOptions(workspaceId, request.install);
      const token = makeSecret("lmtae");
      const profile = await db.transaction().execute(async (transaction) => {
        if (!(await findZone(transaction, workspaceId, request.zoneId))) {
          throw notFound("zone", request.zoneId);
        }
        if (request.clusterId) await requireCluster(transaction, workspaceId, request.clusterId);
        const created = await store.insertProfile(transaction, {
          workspaceId,
          profileId: makeId("epr"),
          displayName: request.displayName,
          tokenHash: hashSecret(token),
          zoneId: request.zoneId,
          clusterId: request.clusterId || null,
          labels: request.labels,
          maxUses: request.maxUses || USES,
          lifetimeMs: request.lifetime ? durationMs(request.lifetime) : LIFETIME_MS,
        });
        await recordChange(transaction, workspaceId, person, originOf(context), {
          action: "enrollment_profile.created",
          target: { id: created.profile_id, name: created.display_name },
          details: {
            zoneId: created.zone_id,
            ...(created.cluster_id && { clusterId: created.cluster_id }),
            labels: created.labels,
            maxUses: Number(created.max_uses),
            expireTime: created.expires_at,
          },
        });
        return created;
      });
      return {
        profile: toProfile(profile),
        enrollmentToken: token,
        commands: render(place, token),
      };
    },

    async getEnrollmentProfile({ profileId }, context) {
      return { profile: toProfile(await require(context, profileId)) };
    },

    async listEnrollmentProfiles(request, context) {
      const page = readPage(request, 1);
      const found = await store.listProfiles(
        db,
        personOf(context).workspaceId,
        page,
        request.search,
      );
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.profile_id]);
      return { profiles: rows.map(toProfile), nextPageToken };
    },

    async disableEnrollmentProfile({ profileId }, context) {
      const person = personOf(context);
      await db.transaction().execute(async (transaction) => {
        const profile = await store.lockProfile(transaction, person.workspaceId, profileId);
        if (!profile) throw notFound("enrollment profile", profileId);
        if (profile.disabled_at) return;
        await store.disableProfile(transaction, profile);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: "enrollment_profile.disabled",
          target: { id: profileId, name: profile.display_name },
        });
      });
      return { profile: toProfile(await require(context, profileId)) };
    },

    async renderInstallCommands({ profileId, install }, context) {
      const profile = await require(context, profileId);
      const place = await readOptions(profile.workspace_id, install);
      return { commands: render(place, TOKEN_PLACE) };
    },
  };
}

/** The endpoint that a collector has reported. */
async function findRelay(db: Database, workspaceId: string, collectorId: string): Promise<Relay> {
  const collector = await findCollector(db, workspaceId, collectorId);
  if (!collector) throw notFound("collector", collectorId);
  const refuse = (why: string) =>
    new ConnectError(`the collector ${collector.display_name} ${why}`, Code.FailedPrecondition);
  if (collector.status === "revoked") throw refuse("is revoked");
  if (collector.relay === null) {
    throw refuse(
      "has not reported a relay: it has not been heard of yet, or its relay is turned off",
    );
  }
  const health = fromJson(RelayHealthSchema, collector.relay, ignoreUnknown);
  const url = relayUrl(health.url);
  if (!url)
    throw refuse("has reported no address at which agents reach its relay: set --relay-url there");
  const key = Buffer.from(health.publicKeySha256).toString("hex");
  const fingerprint = url.startsWith("https:") && key.length === 64 ? `sha256:${key}` : "";
  return { collectorId, url, fingerprint };
}
