import { sql } from "kysely";
import {
  type MetricMetadata,
  MetricMetadata_Kind,
} from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { makeRecentMap } from "../../lib/recent-map.ts";
import { CATALOG_BELIEVED_MS } from "../catalog/archive.ts";
import type { Database } from "../db/database.ts";
import { lockCatalog } from "../log/series-store.ts";
import { isMetricName, isPlainText, MOST_SERIES } from "./rules.ts";

/** Keeps what metrics mean. What is not valid, or about a metric that has no series, is left out. */
export interface MetadataKeeper {
  keep(workspaceId: string, metadata: readonly MetricMetadata[]): Promise<void>;
}

const KINDS = {
  [MetricMetadata_Kind.UNSPECIFIED]: "unspecified",
  [MetricMetadata_Kind.GAUGE]: "gauge",
  [MetricMetadata_Kind.COUNTER]: "counter",
} as const;

interface Meaning {
  metric: string;
  kind: (typeof KINDS)[keyof typeof KINDS];
  unit: string;
  description: string;
}

function meaningOf({ metric, kind, unit, description }: MetricMetadata): Meaning | undefined {
  const name = KINDS[kind as keyof typeof KINDS];
  const valid =
    isMetricName(metric) &&
    name !== undefined &&
    unit.length <= 63 &&
    description.length <= 1024 &&
    isPlainText(unit) &&
    isPlainText(description);
  return valid ? { metric, kind: name, unit, description } : undefined;
}

export function makeMetadataKeeper(db: Database): MetadataKeeper {
  // What was sent last about a metric: senders repeat themselves, and the database hears it once.
  const heard = makeRecentMap<string>(16 << 20, { forgetAfterMs: CATALOG_BELIEVED_MS });

  return {
    async keep(workspaceId, metadata) {
      const news = new Map<string, { meaning: Meaning; key: string; text: string }>();
      for (const entry of metadata.slice(0, MOST_SERIES)) {
        const meaning = meaningOf(entry);
        if (!meaning) continue;
        const key = `${workspaceId}\0${meaning.metric}`;
        const text = `${meaning.kind}\0${meaning.unit}\0${meaning.description}`;
        if (heard.get(key) === text) news.delete(meaning.metric);
        else news.set(meaning.metric, { meaning, key, text });
      }
      if (news.size === 0) return;
      const meanings = Array.from(news.values(), ({ meaning }) => meaning);
      for (const metric of await writeMeanings(db, workspaceId, meanings)) {
        const entry = news.get(metric);
        if (entry) heard.set(entry.key, entry.text);
      }
    },
  };
}

/** Answers which of the metrics are in the catalog. The first kind told stays; the rest may change. */
async function writeMeanings(
  db: Database,
  workspaceId: string,
  meanings: Meaning[],
): Promise<string[]> {
  const metrics = meanings.map(({ metric }) => metric);
  return db.transaction().execute(async (transaction) => {
    await lockCatalog(transaction, workspaceId);
    await sql`
      update metrics set
        kind = case metrics.kind when 'unspecified' then told.kind else metrics.kind end,
        unit = case told.unit when '' then metrics.unit else told.unit end,
        description = case told.description when '' then metrics.description
          else told.description end
      from unnest(
        ${metrics}::text[],
        ${meanings.map(({ kind }) => kind)}::text[],
        ${meanings.map(({ unit }) => unit)}::text[],
        ${meanings.map(({ description }) => description)}::text[]
      ) as told (metric, kind, unit, description)
      where workspace_id = ${workspaceId} and metrics.metric = told.metric
        and (
          (metrics.kind = 'unspecified' and told.kind <> 'unspecified')
          or told.unit not in ('', metrics.unit)
          or told.description not in ('', metrics.description)
        )
    `.execute(transaction);
    const found = await transaction
      .selectFrom("metrics")
      .select("metric")
      .where("workspace_id", "=", workspaceId)
      .where("metric", "=", sql<string>`any(${metrics}::text[])`)
      .execute();
    return found.map(({ metric }) => metric);
  });
}
