import type { Duration } from "@bufbuild/protobuf/wkt";
import { durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { queriesOf } from "../db/transaction.ts";
import { usualLimits } from "../edges/attention.ts";
import { makeEdgeChanges } from "../edges/changes.ts";
import { summarizeEdges } from "../edges/matters.ts";
import { contactPage, dropPage, statusName } from "../edges/rules.ts";
import { listContacts, listDrops, listProcesses, rename } from "../edges/store.ts";
import { renderCollectorCommands } from "../enrollment-profiles/commands.ts";
import { describeDeployment } from "../enrollment-profiles/deployment.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { dismissWorker } from "../work/workers.ts";
import { findZone } from "../zones/store.ts";
import { countCollectors, listCollectors } from "./listing.ts";
import { toCollector } from "./rules.ts";
import * as store from "./store.ts";

const TOKEN_LIFETIME_MS = 3_600_000;

const lifetimeMs = (lifetime: Duration | undefined) =>
  lifetime ? durationMs(lifetime) : TOKEN_LIFETIME_MS;

export function collectorService(parts: Parts): ServiceImpl<typeof CollectorService> {
  const { db, settings } = parts;
  const changes = makeEdgeChanges(parts, "collector");
  const limits = usualLimits(settings.heartbeatInterval);
  const deployment = describeDeployment(parts, "collector");

  const show = async (workspaceId: string, collectorId: string) => {
    const row = await store.findCollector(db, workspaceId, collectorId);
    if (!row) throw notFound("collector", collectorId);
    const processes = await listProcesses(db, row);
    return toCollector(row, limits, processes);
  };

  /** How its host is to install it. Where no installer is, nothing of the command has to be told. */
  const render = (token: string) => {
    const present = deployment.read();
    const commands = renderCollectorCommands(present, token);
    const notes = commands.linux
      ? deployment.trust(present)
      : deployment.missing(present, ["linux"]);
    return { ...commands, notes };
  };

  return {
    async createCollector(request, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      const collectorId = makeId("col");
      const secret = makeSecret("lmtce");
      await db.transaction().execute(async (transaction) => {
        if (!(await findZone(transaction, workspaceId, request.zoneId))) {
          throw notFound("zone", request.zoneId);
        }
        await store.insertCollector(transaction, {
          workspaceId,
          collectorId,
          zoneId: request.zoneId,
          displayName: request.displayName,
          grantedCapabilities: request.grantedCapabilities,
          tokenHash: hashSecret(secret),
          tokenLifetimeMs: lifetimeMs(request.tokenLifetime),
        });
        await recordChange(transaction, workspaceId, person, originOf(context), {
          action: "collector.created",
          target: { id: collectorId, name: request.displayName },
          details: { zoneId: request.zoneId },
        });
      });
      const collector = await show(workspaceId, collectorId);
      const expireTime = collector.enrollmentTokenExpireTime;
      return {
        collector,
        enrollmentToken: { secret, ...(expireTime && { expireTime }) },
        commands: render(secret),
      };
    },

    async getCollector({ collectorId }, context) {
      return { collector: await show(personOf(context).workspaceId, collectorId) };
    },

    async listCollectors(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 2);
      const filter = {
        ...request,
        statuses: request.statuses.map(statusName).filter((name) => name !== undefined),
        limits,
      };
      const order = { by: request.orderBy, reversed: request.reversed };
      const [found, totalSize] = await Promise.all([
        listCollectors(db, workspaceId, page, filter, order),
        page.after ? 0n : countCollectors(db, workspaceId, filter),
      ]);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.sort_key, row.edge_id]);
      return {
        collectors: rows.map((row) => toCollector(row, limits)),
        nextPageToken,
        totalSize,
      };
    },

    async summarizeCollectors(_request, context) {
      const { workspaceId } = personOf(context);
      return { summary: await summarizeEdges(db, workspaceId, "collector", limits) };
    },

    async updateCollector(request, context) {
      const { collectorId, displayName } = request;
      const capabilities = request.grantedCapabilities?.capabilities;
      await changes.change(
        context,
        collectorId,
        "updated",
        async (transaction, key) => {
          if (displayName !== undefined) await rename(transaction, key, displayName);
          if (capabilities) await store.grantCapabilities(transaction, key, capabilities);
        },
        { displayName, grantedCapabilities: capabilities },
      );
      changes.forget(collectorId);
      return { collector: await show(personOf(context).workspaceId, collectorId) };
    },

    async replaceEnrollmentToken({ collectorId, tokenLifetime }, context) {
      const secret = makeSecret("lmtce");
      const token = { hash: hashSecret(secret), lifetimeMs: lifetimeMs(tokenLifetime) };
      const expiresAt = await changes.change(
        context,
        collectorId,
        "token_replaced",
        (transaction, key, collector) => {
          if (collector.status !== "pending") {
            throw new ConnectError(
              collector.status === "revoked"
                ? "the collector is revoked, for good; register a replacement"
                : "the collector has enrolled; a token is of no more use to it",
              Code.FailedPrecondition,
            );
          }
          return store.replaceToken(transaction, key, token);
        },
      );
      return {
        enrollmentToken: { secret, ...(expiresAt && { expireTime: timestampFromDate(expiresAt) }) },
        commands: render(secret),
      };
    },

    async requestCollectorRotation({ collectorId }, context) {
      await changes.requestRotation(context, collectorId);
      return { collector: await show(personOf(context).workspaceId, collectorId) };
    },

    async dismissCollectorDuplicate({ collectorId }, context) {
      await changes.dismissDuplicate(context, collectorId);
      return { collector: await show(personOf(context).workspaceId, collectorId) };
    },

    async revokeCollector({ collectorId }, context) {
      await changes.revoke(context, collectorId, async (transaction, key) => {
        await store.voidToken(transaction, key);
        await dismissWorker(queriesOf(transaction), key.workspace_id, collectorId);
      });
      return { collector: await show(personOf(context).workspaceId, collectorId) };
    },

    async listCollectorContacts(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 1);
      const collector = await store.findCollector(db, workspaceId, request.collectorId);
      if (!collector) throw notFound("collector", request.collectorId);
      return contactPage(await listContacts(db, collector, page), page);
    },

    async listCollectorDrops(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 1);
      const collector = await store.findCollector(db, workspaceId, request.collectorId);
      if (!collector) throw notFound("collector", request.collectorId);
      return dropPage(await listDrops(db, collector, page), page);
    },
  };
}
