import type pg from "pg";

/** Keeps a reader from reading too much, by throwing. */
export interface ReadBudget {
  /** A read is going to take so many bytes in all, if it is not left early. */
  expect(bytes: number): void;
  /** So many are read next. */
  spend(bytes: number): void;
}

const PORTION_BYTES = 8 << 20;

export interface PortionQuery {
  /** Of the statement, which is planned once for each connection. */
  name: string;
  text: string;
  /** No two rows are the same in it. */
  order: string;
  values: unknown[];
}

/**
 * Rows with a `body`, in an order: only a few megabytes are held at a time. Runs in the
 * transaction of the client.
 */
export async function* readPortions<Row extends { body: Buffer }>(
  client: pg.PoolClient,
  query: PortionQuery,
  budget: ReadBudget,
  signal: AbortSignal,
): AsyncGenerator<Row> {
  const { name, text, order, values } = query;
  // Before each query: once it is aborted, the client may be somebody else's.
  signal.throwIfAborted();
  // Mostly this is all of it. How much there is besides is told by sizes alone.
  const { rows } = await client.query<Row & { all_rows: number; all_bytes: number }>({
    name,
    text: `select * from (
        select *, count(*) over ()::int as all_rows,
          sum(octet_length(body)) over ()::float8 as all_bytes,
          (sum(octet_length(body)) over (order by ${order} rows unbounded preceding)
            - octet_length(body))::float8 as before
        from (${text}) as found
      ) as sized where before < ${PORTION_BYTES} order by ${order}`,
    values,
  });
  const [first] = rows;
  budget.expect(first?.all_bytes ?? 0);
  if (!first) return;
  budget.spend(rows.reduce((sum, { body }) => sum + body.length, 0));
  yield* rows;
  if (rows.length < first.all_rows) {
    yield* readRest<Row>(client, query, rows.length, budget, signal);
  }
}

/** What comes after the first rows, which were read. */
async function* readRest<Row extends { body: Buffer }>(
  client: pg.PoolClient,
  { text, order, values }: PortionQuery,
  read: number,
  budget: ReadBudget,
  signal: AbortSignal,
): AsyncGenerator<Row> {
  signal.throwIfAborted();
  // How many rows make a portion is settled first.
  const portions = await client.query<{ rows: number; bytes: number }>(
    `select count(*)::int as rows, sum(bytes)::float8 as bytes from (
       select bytes, sum(bytes) over (order by place) as running from (
         select octet_length(body) as bytes, row_number() over (order by ${order}) as place
         from (${text}) as found
       ) as placed where place > ${read}
     ) as sized group by (running - 1) / ${PORTION_BYTES} order by min(running)`,
    values,
  );
  signal.throwIfAborted();
  const cursor = `portions_${(cursors++).toString(36)}`;
  await client.query(
    `declare ${cursor} no scroll cursor for select * from (${text}) as found order by ${order}`,
    values,
  );
  signal.throwIfAborted();
  await client.query(`move ${read} from ${cursor}`);
  for (const { rows, bytes } of portions.rows) {
    signal.throwIfAborted();
    budget.spend(bytes);
    const found = await client.query<Row>(`fetch ${rows} from ${cursor}`);
    yield* found.rows;
  }
  signal.throwIfAborted();
  await client.query(`close ${cursor}`);
}

let cursors = 0;
