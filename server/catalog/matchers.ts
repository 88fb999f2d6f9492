import { type RawBuilder, sql } from "kysely";
import {
  type LabelMatcher,
  LabelMatcher_Operation as Operation,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import type { Database } from "../db/database.ts";
import { InvalidQuery, isStorable, TooMuch } from "../query/rules.ts";
import { compilePattern, matching } from "./patterns.ts";

/** Values of one label that a pattern may be tried on. */
const MOST_VALUES = 200_000;

/** The text of a label in SQL; a missing one counts as empty. */
const textOf = (label: string) => sql<string>`coalesce(labels ->> ${label}::text, '')`;

/**
 * Conditions on rows of `series`, one for each matcher. Regular expressions are tried on the label's
 * distinct values, those of the metric if one is named, and become lists of values.
 */
export async function matcherConditions(
  db: Database,
  workspaceId: string,
  metric: string | undefined,
  matchers: readonly LabelMatcher[],
): Promise<RawBuilder<boolean>[]> {
  const conditions: RawBuilder<boolean>[] = [];
  for (const matcher of matchers) {
    const { label, operation, value, values } = matcher;
    if (![label, value, ...values].every(isStorable)) {
      throw new InvalidQuery("a name or value holds a NUL character");
    }
    switch (operation) {
      case Operation.EQUAL:
        // In this form an index finds it.
        if (value !== "")
          conditions.push(sql`labels @> jsonb_build_object(${label}::text, ${value}::text)`);
        else conditions.push(sql`${textOf(label)} = ''`);
        break;
      case Operation.NOT_EQUAL:
        conditions.push(sql`${textOf(label)} <> ${value}`);
        break;
      case Operation.IN:
        conditions.push(sql`${textOf(label)} = any(${values}::text[])`);
        break;
      case Operation.NOT_IN:
        conditions.push(sql`${textOf(label)} <> all(${values}::text[])`);
        break;
      default: {
        const found = await matchingValues(db, workspaceId, metric, label, value);
        conditions.push(
          operation === Operation.MATCHES
            ? sql`${textOf(label)} = any(${found}::text[])`
            : sql`${textOf(label)} <> all(${found}::text[])`,
        );
      }
    }
  }
  return conditions;
}

async function matchingValues(
  db: Database,
  workspaceId: string,
  metric: string | undefined,
  label: string,
  pattern: string,
): Promise<string[]> {
  const compiled = compilePattern(label, pattern);
  const { rows } = await sql<{ value: string }>`
    select distinct ${textOf(label)} as value from series
    where workspace_id = ${workspaceId}
      and ${metric === undefined ? sql`true` : sql`metric = ${metric}`}
    limit ${MOST_VALUES + 1}
  `.execute(db);
  if (rows.length > MOST_VALUES) {
    throw new TooMuch(
      `the label ${JSON.stringify(label)} has more than ${MOST_VALUES} values; name a metric, or use no regular expression`,
    );
  }
  return matching(
    compiled,
    rows.map((row) => row.value),
  );
}
