import { type RawBuilder, type SqlBool, sql } from "kysely";

/**
 * Whether one of these texts holds what is searched for, without regard to case, or the id is just that.
 * Signs that mean something in a pattern are searched for like any other.
 */
export function isFound(
  search: string,
  { texts, id }: { texts: RawBuilder<unknown>[]; id: RawBuilder<unknown> },
): RawBuilder<SqlBool> {
  const part = `%${search.replace(/[\\%_]/g, "\\$&")}%`;
  const holding = texts.map((text) => sql`${text} ilike ${part}`);
  return sql<SqlBool>`(${sql.join([...holding, sql`${id} = lower(${search})`], sql` or `)})`;
}
