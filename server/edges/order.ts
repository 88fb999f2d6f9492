import { type RawBuilder, type SqlBool, sql } from "kysely";
import { EdgeOrder } from "../../gen/lumetry/v1/edge_pb.js";
import { badToken, type Page } from "../page.ts";

interface Key {
  /** What the database sorts by. */
  column: RawBuilder<unknown>;
  descending: boolean;
  /** The same as text, for a page token; and read from one again. */
  text: RawBuilder<string>;
  read: (text: string) => RawBuilder<unknown>;
}

const WHOLE = /^-?\d{1,17}$/;

function timeKey(column: RawBuilder<unknown>): Key {
  return {
    column,
    descending: true,
    text: sql<string>`(extract(epoch from ${column}) * 1000000)::bigint::text`,
    read(text) {
      if (!WHOLE.test(text)) throw badToken();
      return sql`timestamptz 'epoch' + ${text}::bigint * interval '1 microsecond'`;
    },
  };
}

const queued = sql`coalesce((edges.queue ->> 'queuedPoints')::bigint, 0)`;

/** What a list of edges can be sorted by; all but names come with the largest first. */
const KEYS: Record<EdgeOrder, Key> = {
  [EdgeOrder.UNSPECIFIED]: timeKey(sql`edges.created_at`),
  [EdgeOrder.CREATE_TIME]: timeKey(sql`edges.created_at`),
  [EdgeOrder.LAST_SEEN_TIME]: timeKey(sql`coalesce(edges.last_seen_at, timestamptz 'epoch')`),
  [EdgeOrder.DISPLAY_NAME]: {
    column: sql`lower(edges.display_name)`,
    descending: false,
    text: sql<string>`lower(edges.display_name)`,
    read: (text) => sql`${text}::text`,
  },
  [EdgeOrder.QUEUED_POINTS]: {
    column: queued,
    descending: true,
    text: sql<string>`${queued}::text`,
    read(text) {
      if (!WHOLE.test(text)) throw badToken();
      return sql`${text}::bigint`;
    },
  },
};

/** How to sort and page a selection from `edges`; a page's key is the sort key and the id of its last row. */
export function orderEdges(by: EdgeOrder, isReversed: boolean, page: Page) {
  const { column, descending, text, read } = KEYS[by];
  const isDescending = descending !== isReversed;
  const direction = isDescending ? sql`desc` : sql`asc`;
  const [value = "", id = ""] = page.after ?? [];
  return {
    sortKey: text,
    orderBy: sql`${column} ${direction}, edges.edge_id ${direction}`,
    after: page.after
      ? sql<SqlBool>`(${column}, edges.edge_id) ${isDescending ? sql`<` : sql`>`} (${read(value)}, ${id})`
      : undefined,
  };
}
