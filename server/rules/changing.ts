import { equals } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type RuleSettings, RuleSettingsSchema } from "../../gen/lumetry/v1/rule_pb.js";
import {
  ApplyRulesResponse_Action as Action,
  type ApplyRulesRequest,
} from "../../gen/lumetry/v1/rule_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { type AlertRow, listOpenOfRules } from "../alerts/store.ts";
import { recordTransitions } from "../alerts/transitions.ts";
import type { Database } from "../db/database.ts";
import { compileRule } from "./compile.ts";
import { described } from "./details.ts";
import { InvalidRule } from "./invalid.ts";
import { documentOf, settingsOf } from "./shape.ts";
import { groupsAtHand, type Staying, whatStays } from "./staying.ts";
import * as store from "./store.ts";
import { readStored } from "./stored.ts";

export const MOST_RULES = 5_000;

/** What was done to a rule. */
export interface Done {
  ruleId: string;
  displayName: string;
  action: Action;
}

/** Throws for settings that cannot be evaluated, in words that say what to write instead. */
export function checkSettings(settings: RuleSettings, name?: string): void {
  try {
    compileRule("", settings);
  } catch (error) {
    if (!(error instanceof InvalidRule)) throw error;
    const of = name === undefined ? "" : `the rule ${JSON.stringify(name)}: `;
    throw new ConnectError(`${of}${error.message}`, Code.InvalidArgument);
  }
}

export function requireRoom(rules: readonly store.RuleRow[], more: number): void {
  if (rules.length + more <= MOST_RULES) return;
  throw new ConnectError(
    `the workspace would have more than ${MOST_RULES} rules; delete some, or group series by labels in one`,
    Code.ResourceExhausted,
  );
}

export function insertRule(
  transaction: Database,
  workspaceId: string,
  settings: RuleSettings,
): Promise<store.RuleRow> {
  return store.insertRule(transaction, {
    workspaceId,
    ruleId: makeId("rul"),
    displayName: settings.displayName,
    document: documentOf(settings),
    enabled: !settings.disabled,
  });
}

/** Replaces a rule's settings. What does not stay ends, and begins anew; other open alerts get the new words. */
export async function updateRule(
  transaction: Database,
  row: store.RuleRow,
  settings: RuleSettings,
): Promise<store.RuleRow> {
  const before = settingsOf(row);
  const updated = await store.updateRule(transaction, row, {
    displayName: settings.displayName,
    document: documentOf(settings),
    enabled: !settings.disabled,
  });
  // What it was is not known when a newer version wrote it.
  const stays: Staying = isRead(row)
    ? whatStays(before, settings)
    : { kind: "nothing", reason: "the rule was changed" };
  if (stays.kind !== "all") {
    await beginAnew(transaction, row, before, settings, stays);
  } else if (!equals(RuleSettingsSchema, before, settings)) {
    await describeAgain(transaction, row, before, settings, await openOf(transaction, row));
  }
  return updated;
}

export async function deleteRule(transaction: Database, row: store.RuleRow): Promise<void> {
  await endAlerts(transaction, row, await openOf(transaction, row), "the rule was deleted");
  await store.deleteRule(transaction, row);
}

/** Creates, updates and deletes by name; the rules are locked. */
export async function applyRules(
  transaction: Database,
  workspaceId: string,
  { rules, deleteOthers, dryRun }: ApplyRulesRequest,
): Promise<Done[]> {
  const existing = await store.lockRules(transaction, workspaceId);
  const byName = new Map(existing.map((row) => [fold(row.display_name), row]));
  const wanted = new Map<string, RuleSettings>();
  for (const settings of rules) {
    checkSettings(settings, settings.displayName);
    const name = fold(settings.displayName);
    if (wanted.has(name)) {
      throw new ConnectError(
        `two of the rules are called ${JSON.stringify(settings.displayName)}; names are unique, without regard to case`,
        Code.InvalidArgument,
      );
    }
    wanted.set(name, settings);
  }
  const others = deleteOthers ? existing.filter((row) => !wanted.has(fold(row.display_name))) : [];
  const added = [...wanted.keys()].filter((name) => !byName.has(name));
  requireRoom(existing, added.length - others.length);
  const done: Done[] = [];
  for (const row of others) if (!dryRun) await deleteRule(transaction, row);
  for (const [name, settings] of wanted) {
    const { displayName } = settings;
    const row = byName.get(name);
    if (!row) {
      const made = dryRun ? undefined : await insertRule(transaction, workspaceId, settings);
      done.push({ ruleId: made?.rule_id ?? "", displayName, action: Action.CREATED });
    } else if (isRead(row) && equals(RuleSettingsSchema, settingsOf(row), settings)) {
      done.push({ ruleId: row.rule_id, displayName, action: Action.UNCHANGED });
    } else {
      if (!dryRun) await updateRule(transaction, row, settings);
      done.push({ ruleId: row.rule_id, displayName, action: Action.UPDATED });
    }
  }
  for (const row of others) {
    done.push({
      ruleId: row.rule_id,
      displayName: row.display_name,
      action: Action.DELETED,
    });
  }
  const isChanged = done.some(({ action }) => action !== Action.UNCHANGED);
  if (isChanged && !dryRun) await store.noteChange(transaction, workspaceId);
  return done;
}

const fold = (name: string) => name.toLowerCase();

const isRead = (row: store.RuleRow) => readStored(row).rule !== undefined;

const openOf = (transaction: Database, row: store.RuleRow) =>
  listOpenOfRules(transaction, row.workspace_id, [row.rule_id]);

async function endAlerts(
  transaction: Database,
  row: store.RuleRow,
  alerts: readonly AlertRow[],
  reason: string,
) {
  await recordTransitions(
    transaction,
    row.workspace_id,
    alerts.map(({ group_key: groupKey }) => ({
      kind: "resolve",
      key: { origin: "rule", source: row.rule_id, groupKey },
      reason,
    })),
  );
}

/** Has a rule judged anew, but for alerts that stay: these go on from where they stand. */
async function beginAnew(
  transaction: Database,
  row: store.RuleRow,
  before: RuleSettings,
  settings: RuleSettings,
  { kind, reason }: Exclude<Staying, { kind: "all" }>,
): Promise<void> {
  const open = await openOf(transaction, row);
  const groups =
    kind === "firing" && open.length > 0
      ? await groupsAtHand(transaction, row.workspace_id, compileRule(row.rule_id, settings))
      : new Set<string>();
  // How long something pending has held was counted by what the rule was before.
  const stays = ({ state, group_key }: AlertRow) => state === "firing" && groups.has(group_key);
  const staying = open.filter(stays);
  const ending = open.filter((alert) => !stays(alert));
  await endAlerts(transaction, row, ending, reason);
  await describeAgain(transaction, row, before, settings, staying, { keepsSummary: true });
  const keys = staying.map(({ group_key }) => group_key);
  await store.beginAnew(transaction, row, keys);
}

/** Says of open alerts what the rule says now; a summary is kept where its value was judged by another bound. */
async function describeAgain(
  transaction: Database,
  row: store.RuleRow,
  before: RuleSettings,
  settings: RuleSettings,
  open: readonly AlertRow[],
  { keepsSummary }: { keepsSummary?: boolean } = {},
): Promise<void> {
  const rule = compileRule(row.rule_id, settings);
  await recordTransitions(
    transaction,
    row.workspace_id,
    open.map((alert) => {
      const own = Object.entries(alert.labels).filter(([name]) => !(name in before.labels));
      const said = described(rule, Object.fromEntries(own), alert.value ?? undefined);
      return {
        kind: "update",
        key: { origin: "rule", source: row.rule_id, groupKey: alert.group_key },
        details: keepsSummary ? { ...said, summary: alert.summary } : said,
      };
    }),
  );
}
