import { create, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  type SourceSecrets,
  SourceSecretsSchema,
  type SourceSettings,
  SourceSettingsSchema,
} from "../../gen/lumetry/source/v1/settings_pb.js";
import {
  Source_SecretSummarySchema,
  type SourceService,
} from "../../gen/lumetry/v1/source_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { endAssignments, lockZone, requestPlan, reviseAssignment } from "../assignments/store.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { brokenConstraint, type Database } from "../db/database.ts";
import { queriesOf } from "../db/transaction.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { sourcePlace } from "../sealing/store.ts";
import {
  checkSettings,
  checkTimes,
  DEFAULT_INTERVAL_MS,
  isEmpty,
  SettingsMistake,
  summarize,
  targetOf,
} from "./rules.ts";
import { toSource } from "./shape.ts";
import * as store from "./store.ts";
import { testSource } from "./test-source.ts";

/** Labels of this prefix say where a point comes from; only the server sets them. */
const RESERVED = "lumetry.";

/** Says in the caller's terms why something was refused. */
function explain(error: unknown): unknown {
  if (error instanceof SettingsMistake) {
    return new ConnectError(error.message, Code.InvalidArgument);
  }
  return brokenConstraint(error) === "one_source_per_name"
    ? new ConnectError("there is a source of that name already", Code.AlreadyExists)
    : error;
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  const reserved = Object.keys(labels).find((name) => name.startsWith(RESERVED));
  if (reserved === undefined) return;
  throw new SettingsMistake(
    `the label ${JSON.stringify(reserved)} is Lumetry's own; choose a name without "${RESERVED}"`,
  );
}

const spanOf = (duration: Duration | undefined) => duration && durationMs(duration);
const asJson = (settings: SourceSettings): JsonValue => toJson(SourceSettingsSchema, settings);

export function sourceService(parts: Parts): ServiceImpl<typeof SourceService> {
  const { db, vault } = parts;

  const show = async (workspaceId: string, sourceId: string) => {
    const row = await store.findSource(db, workspaceId, sourceId);
    if (!row) throw notFound("source", sourceId);
    return { source: toSource(row) };
  };

  /** Secrets as they are stored, and what is told of them; null for none. */
  const sealSecrets = async (
    transaction: Database,
    at: { workspaceId: string; sourceId: string; target: string },
    secrets: SourceSecrets | undefined,
  ): Promise<{ secrets: Buffer | null; secretsSummary: JsonValue | null }> => {
    if (!secrets || isEmpty(secrets)) return { secrets: null, secretsSummary: null };
    const place = sourcePlace(at.workspaceId, at.sourceId, at.target);
    const summary = create(Source_SecretSummarySchema, summarize(secrets, at.target));
    return {
      secrets: await vault.seal(transaction, toBinary(SourceSecretsSchema, secrets), place),
      secretsSummary: toJson(Source_SecretSummarySchema, summary),
    };
  };

  /** Changes one source, with a line in the audit log, in one transaction. */
  const change = async (
    context: HandlerContext,
    sourceId: string,
    action: string,
    work: (transaction: Database, source: store.Source) => Promise<Record<string, unknown>>,
  ): Promise<void> => {
    const person = personOf(context);
    const { workspaceId } = person;
    try {
      await db.transaction().execute(async (transaction) => {
        const found = await store.findSource(transaction, workspaceId, sourceId);
        if (!found) throw notFound("source", sourceId);
        await lockZone(queriesOf(transaction), workspaceId, found.zone_id);
        const source = await store.lockSource(transaction, workspaceId, sourceId);
        if (!source) throw notFound("source", sourceId);
        const details = await work(transaction, source);
        await recordChange(transaction, workspaceId, person, originOf(context), {
          action,
          target: { id: sourceId, name: source.display_name },
          details,
        });
      });
    } catch (error) {
      throw explain(error);
    }
  };

  const setPaused = async (context: HandlerContext, sourceId: string, paused: boolean) => {
    const action = paused ? "source.paused" : "source.resumed";
    await change(context, sourceId, action, async (transaction, source) => {
      if (source.paused === paused) return {};
      const queries = queriesOf(transaction);
      if (paused) await endAssignments(queries, source.workspace_id, [sourceId]);
      await store.updateSource(transaction, source, { paused }, timesOf(source));
      if (!paused) await requestPlan(queries, source.workspace_id, source.zone_id);
      return {};
    });
    return show(personOf(context).workspaceId, sourceId);
  };

  return {
    async createSource(request, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      const { displayName, zoneId, labels, paused, secrets } = request;
      const settings = request.settings ?? create(SourceSettingsSchema);
      const sourceId = makeId("src");
      try {
        checkSettings(settings, secrets);
        checkLabels(labels);
        const target = targetOf(settings);
        const interval = spanOf(request.interval) ?? DEFAULT_INTERVAL_MS;
        const times = checkTimes(interval, spanOf(request.timeout));
        await db.transaction().execute(async (transaction) => {
          const queries = queriesOf(transaction);
          if (!(await lockZone(queries, workspaceId, zoneId))) throw notFound("zone", zoneId);
          await store.insertSource(transaction, {
            workspaceId,
            sourceId,
            workId: makeId("wrk"),
            zoneId,
            displayName,
            settings: asJson(settings),
            target,
            ...times,
            labels,
            paused,
            ...(await sealSecrets(transaction, { workspaceId, sourceId, target }, secrets)),
          });
          await recordChange(transaction, workspaceId, person, originOf(context), {
            action: "source.created",
            target: { id: sourceId, name: displayName },
            details: { zoneId, kind: settings.kind.case, target, ...times, labels },
          });
          if (!paused) await requestPlan(queries, workspaceId, zoneId);
        });
      } catch (error) {
        throw explain(error);
      }
      return show(workspaceId, sourceId);
    },

    getSource: ({ sourceId }, context) => show(personOf(context).workspaceId, sourceId),

    async listSources(request, context) {
      const page = readPage(request, 1);
      const { workspaceId } = personOf(context);
      const [found, totalSize] = await Promise.all([
        store.listSources(db, workspaceId, page, request),
        store.countSources(db, workspaceId, request),
      ]);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.display_name]);
      return { sources: rows.map(toSource), nextPageToken, totalSize };
    },

    async updateSource(request, context) {
      const { sourceId, displayName, zoneId, settings, secrets, labels } = request;
      await change(context, sourceId, "source.updated", async (transaction, source) => {
        const { workspace_id: workspaceId } = source;
        const queries = queriesOf(transaction);
        const before = fromJson(SourceSettingsSchema, source.settings, {
          ignoreUnknownFields: true,
        });
        const target = targetOf(settings ?? before);
        if (settings || secrets) checkSettings(settings ?? before, secrets);
        if (labels) checkLabels(labels.labels);
        if (source.secrets && !secrets && target !== source.target) {
          throw new ConnectError(
            `the secrets are bound to ${source.target}, and would go to ${target}: give them again, or an empty set to remove them`,
            Code.FailedPrecondition,
          );
        }
        const old = timesOf(source);
        const interval = spanOf(request.interval) ?? old.intervalMs;
        const times = checkTimes(
          interval,
          spanOf(request.timeout) ?? Math.min(old.timeoutMs, interval),
        );
        const moves = zoneId !== undefined && zoneId !== source.zone_id;
        if (moves) {
          if (!(await lockZone(queries, workspaceId, zoneId))) throw notFound("zone", zoneId);
          await endAssignments(queries, workspaceId, [sourceId]);
        } else await reviseAssignment(queries, workspaceId, sourceId);
        const sealed = secrets
          ? await sealSecrets(transaction, { workspaceId, sourceId, target }, secrets)
          : undefined;
        const changed: store.SourceChange = {
          ...(displayName !== undefined && { display_name: displayName }),
          ...(moves && { zone_id: zoneId }),
          ...(settings && { settings: asJson(settings), target }),
          ...(labels && { labels: labels.labels }),
          ...(sealed && { secrets: sealed.secrets, secrets_summary: sealed.secretsSummary }),
        };
        await store.updateSource(transaction, source, changed, times);
        if (moves && !source.paused) await requestPlan(queries, workspaceId, zoneId);
        return {
          changed: [
            ...Object.keys(changed).filter((key) => key !== "secrets_summary"),
            ...(times.intervalMs !== old.intervalMs ? ["interval"] : []),
            ...(times.timeoutMs !== old.timeoutMs ? ["timeout"] : []),
          ],
          ...(settings && { target }),
        };
      });
      return show(personOf(context).workspaceId, sourceId);
    },

    pauseSource: ({ sourceId }, context) => setPaused(context, sourceId, true),
    resumeSource: ({ sourceId }, context) => setPaused(context, sourceId, false),

    async deleteSource({ sourceId }, context) {
      await change(context, sourceId, "source.deleted", async (transaction, source) => {
        await endAssignments(queriesOf(transaction), source.workspace_id, [sourceId]);
        await store.deleteSource(transaction, source.workspace_id, sourceId);
        return { target: source.target };
      });
      return {};
    },

    testSource: (request, context) => testSource(parts, request, context),
  };
}

const timesOf = (source: store.Source) => ({
  intervalMs: Number(source.interval_ms),
  timeoutMs: Number(source.timeout_ms),
});
