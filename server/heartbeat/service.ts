import { randomBytes } from "node:crypto";
import { create, toJson } from "@bufbuild/protobuf";
import {
  durationFromMs,
  type Timestamp,
  timestampDate,
  timestampFromDate,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  QueueHealth_Drop_Reason as DropReason,
  type HeartbeatService,
  type QueueHealth,
  QueueHealthSchema,
  type RelayHealth,
  RelayHealthSchema,
  SendHeartbeatRequest_Warning as Warning,
} from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { capabilityName } from "../access/names.ts";
import { byServer, recordChange } from "../audit/store.ts";
import { recordRelay } from "../collectors/store.ts";
import { settleRevision } from "../configuration/store.ts";
import { edgeOf, originOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { usualLimits } from "../edges/attention.ts";
import { type LockedEdge, lockEdge } from "../edges/store.ts";
import { problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { findZone } from "../zones/store.ts";
import { judgeArrival } from "./duplicates.ts";
import * as store from "./store.ts";

/** A time that a date can hold; null for absent and absurd ones. */
function dateOf(time: Timestamp | undefined): Date | null {
  if (!time) return null;
  const date = timestampDate(time);
  const year = date.getUTCFullYear();
  return year > 1970 && year < 10_000 ? date : null;
}

/** What is kept of a queue's health: the ledger has a table of its own. */
function withoutDrops(queue: QueueHealth) {
  return toJson(QueueHealthSchema, create(QueueHealthSchema, { ...queue, drops: [] }));
}

const relayJson = (relay: RelayHealth) => toJson(RelayHealthSchema, relay);

async function relayPolicy(db: Database, edge: LockedEdge) {
  const zone = await findZone(db, edge.workspace_id, edge.zone_id);
  return { allowCleartext: zone?.allow_cleartext_relay ?? false };
}

const toDropLine = (drop: QueueHealth["drops"][number]): store.DropLine => ({
  dropId: drop.dropId,
  startedAt: dateOf(drop.startTime),
  endedAt: dateOf(drop.endTime),
  points: drop.points,
  reason: DropReason[drop.reason] ?? "UNSPECIFIED",
});

export function heartbeatService({ db, settings }: Parts): ServiceImpl<typeof HeartbeatService> {
  const { heartbeatInterval } = settings;
  const { missedHeartbeats } = usualLimits(heartbeatInterval);
  return {
    async sendHeartbeat(request, context) {
      const caller = edgeOf(context);
      const owner = { workspace_id: caller.workspaceId, edge_id: caller.edgeId };
      const nextNonce = randomBytes(16).toString("base64url");

      return db.transaction().execute(async (transaction) => {
        const edge = await lockEdge(transaction, caller.workspaceId, caller.edgeId);
        if (!edge || edge.status === "revoked") {
          throw problem(
            Code.Unauthenticated,
            Reason.REVOKED,
            `the ${caller.kind} was revoked, for good`,
          );
        }
        // One that its sender has given up on says nothing about the present.
        if (context.signal.aborted) throw new ConnectError("given up", Code.Canceled);
        const at = await store.databaseTime(transaction);
        const sent = dateOf(request.sentTime);

        const seen = await store.listSeenProcesses(transaction, owner);
        const { processId, sequence, nonce } = request;
        const verdict = judgeArrival(seen, { processId, sequence, nonce, at });
        await store.recordProcess(transaction, owner, {
          processId,
          sequence,
          nonce: nextNonce,
          hostname: request.hostname,
          address: originOf(context).address,
          version: request.version,
          inPlace: verdict.kind !== "late",
        });
        let { status } = edge;
        if (verdict.kind === "shared") {
          await store.raiseSuspicion(transaction, owner, verdict);
          if (status !== "duplicate_suspected") {
            await recordChange(transaction, caller.workspaceId, undefined, byServer, {
              action: `${caller.kind}.duplicate_suspected`,
              target: { id: caller.edgeId, name: edge.display_name },
              details: { returned: verdict.returned, replacement: verdict.replacement },
            });
          }
          status = "duplicate_suspected";
        } else if (status === "duplicate_suspected") {
          if (await store.letSuspicionLapse(transaction, owner)) {
            status = "active";
            await recordChange(transaction, caller.workspaceId, undefined, byServer, {
              action: `${caller.kind}.duplicate_lapsed`,
              target: { id: caller.edgeId, name: edge.display_name },
            });
          }
        }
        await store.recordContact(transaction, owner, heartbeatInterval * missedHeartbeats);
        await store.recordReport(transaction, owner, {
          version: request.version,
          clockSkewMs: sent ? sent.getTime() - at.getTime() : null,
          queue: request.queue ? withoutDrops(request.queue) : null,
          declaredCapabilities: request.capabilities.map(capabilityName).filter(Boolean),
          warnings: request.warnings.map((warning) => Warning[warning] ?? "").filter(Boolean),
          runningRevision: request.configRevision,
        });
        if (caller.kind === "collector") {
          await recordRelay(transaction, owner, request.relay ? relayJson(request.relay) : null);
        }
        if (request.queue) {
          const { queueId, drops } = request.queue;
          await store.recordDrops(transaction, owner, queueId, drops.map(toDropLine));
        }

        const isRotationDue =
          edge.rotation_requested_at !== null ||
          (await store.isCredentialOld(
            transaction,
            caller.workspaceId,
            caller.credentialId,
            settings.credentialMaxAge,
          ));
        return {
          receivedTime: timestampFromDate(at),
          latestConfigRevision: await settleRevision(transaction, edge),
          rotateCredential: status === "active" && isRotationDue,
          nextNonce,
          nextHeartbeatIn: durationFromMs(heartbeatInterval),
          ...(caller.kind === "collector" && { relay: await relayPolicy(transaction, edge) }),
        };
      });
    },
  };
}
