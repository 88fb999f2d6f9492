import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { RuleSettings } from "../../gen/lumetry/v1/rule_pb.js";
import {
  ApplyRulesResponse_Action as Action,
  type RuleService,
} from "../../gen/lumetry/v1/rule_service_pb.js";
import { makePlaces } from "../../lib/places.ts";
import { recordChange } from "../audit/store.ts";
import { KEPT_LONGER_MS } from "../chunks/windows.ts";
import { originOf, personOf } from "../context.ts";
import { brokenConstraint, type Database } from "../db/database.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import { keptSince } from "../query/kept.ts";
import { explained } from "../query/problems.ts";
import type { Parts } from "../routes.ts";
import {
  applyRules,
  checkSettings,
  deleteRule,
  insertRule,
  requireRoom,
  updateRule,
} from "./changing.ts";
import { compileRule } from "./compile.ts";
import { readHistory } from "./history.ts";
import { preview } from "./preview.ts";
import { toRule } from "./shape.ts";
import * as store from "./store.ts";

const PREVIEWS = 2;
const MOST_WAITING = 20;

const AUDITED: Partial<Record<Action, string>> = {
  [Action.CREATED]: "rule.created",
  [Action.UPDATED]: "rule.updated",
  [Action.DELETED]: "rule.deleted",
};

function explain(error: unknown): unknown {
  return brokenConstraint(error) === "one_rule_per_name"
    ? new ConnectError("there is a rule of that name already", Code.AlreadyExists)
    : error;
}

const required = (settings: RuleSettings | undefined): RuleSettings => {
  if (!settings) throw new ConnectError("there are no settings", Code.InvalidArgument);
  return settings;
};

export function ruleService(parts: Parts): ServiceImpl<typeof RuleService> {
  const { db, pool, clock, settings: serverSettings } = parts;
  // A preview may read for seconds, and evaluates in this process.
  const places = makePlaces(PREVIEWS, MOST_WAITING);

  const show = async (workspaceId: string, ruleId: string) => {
    const row = await store.findRule(db, workspaceId, ruleId);
    if (!row) throw notFound("rule", ruleId);
    return { rule: toRule(row) };
  };

  /** Changes rules while nothing is evaluated, with lines in the audit log, in one transaction. */
  const change = async <T>(
    context: HandlerContext,
    work: (
      transaction: Database,
      workspaceId: string,
      audit: (action: string, target: { id: string; name: string }) => Promise<void>,
    ) => Promise<T>,
  ): Promise<T> => {
    const person = personOf(context);
    const { workspaceId } = person;
    try {
      return await db
        .transaction()
        .execute((transaction) =>
          work(transaction, workspaceId, (action, target) =>
            recordChange(transaction, workspaceId, person, originOf(context), { action, target }),
          ),
        );
    } catch (error) {
      throw explain(error);
    }
  };

  const find = (rules: readonly store.RuleRow[], ruleId: string): store.RuleRow => {
    const row = rules.find(({ rule_id }) => rule_id === ruleId);
    if (!row) throw notFound("rule", ruleId);
    return row;
  };

  return {
    async createRule(request, context) {
      const settings = required(request.settings);
      checkSettings(settings);
      const ruleId = await change(context, async (transaction, workspaceId, audit) => {
        requireRoom(await store.lockRules(transaction, workspaceId), 1);
        const { rule_id: id } = await insertRule(transaction, workspaceId, settings);
        await store.noteChange(transaction, workspaceId);
        await audit("rule.created", { id, name: settings.displayName });
        return id;
      });
      return show(personOf(context).workspaceId, ruleId);
    },

    getRule: ({ ruleId }, context) => show(personOf(context).workspaceId, ruleId),

    async listRules(request, context) {
      const page = readPage(request, 1);
      const found = await store.listRules(db, personOf(context).workspaceId, page, request.search);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.display_name]);
      return { rules: rows.map(toRule), nextPageToken };
    },

    async updateRule({ ruleId, settings: given, revision }, context) {
      const settings = required(given);
      checkSettings(settings);
      await change(context, async (transaction, workspaceId, audit) => {
        const row = find(await store.lockRules(transaction, workspaceId), ruleId);
        if (revision !== 0n && revision !== row.revision) {
          throw new ConnectError(
            `the rule has changed meanwhile: it is at revision ${row.revision}, not ${revision}; look at it again`,
            Code.Aborted,
          );
        }
        await updateRule(transaction, row, settings);
        await store.noteChange(transaction, workspaceId);
        await audit("rule.updated", { id: ruleId, name: settings.displayName });
      });
      return show(personOf(context).workspaceId, ruleId);
    },

    async deleteRule({ ruleId }, context) {
      await change(context, async (transaction, workspaceId, audit) => {
        const row = find(await store.lockRules(transaction, workspaceId), ruleId);
        await deleteRule(transaction, row);
        await store.noteChange(transaction, workspaceId);
        await audit("rule.deleted", { id: ruleId, name: row.display_name });
      });
      return {};
    },

    async applyRules(request, context) {
      const done = await change(context, async (transaction, workspaceId, audit) => {
        const all = await applyRules(transaction, workspaceId, request);
        if (request.dryRun) return all;
        for (const { action, ruleId: id, displayName: name } of all) {
          const audited = AUDITED[action];
          if (audited) await audit(audited, { id, name });
        }
        return all;
      });
      return { rules: done };
    },

    previewRule: (request, context) =>
      explained(async () => {
        const settings = required(request.settings);
        checkSettings(settings);
        const rule = compileRule("preview", settings);
        const { workspaceId } = personOf(context);
        const kept = keptSince(clock.now(), {
          points: serverSettings.retention + KEPT_LONGER_MS,
          fiveMinutes: serverSettings.fiveMinuteRetention,
        });
        return places.take(async () => {
          const { span, history } = await readHistory(
            { db, pool, workspaceId, signal: context.signal, kept },
            rule,
            request,
          );
          return preview(rule, history, span, context.signal);
        }, context.signal);
      }),
  };
}
