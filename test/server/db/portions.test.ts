import test from "ava";
import pg from "pg";
import { type ReadBudget, readPortions } from "../../../server/db/portions.ts";
import { freshDatabase } from "../../support/database.ts";

const MEGABYTE = 1 << 20;

interface Row {
  number: number;
  body: Buffer;
}

/** So many rows of so many bytes, numbered from 1. */
const query = (rows: number, bytes: number) => ({
  name: "numbered",
  text: `select number, decode(repeat(lpad(to_hex(number % 256), 2, '0'), $2::int), 'hex') as body
    from generate_series(1, $1::int) as number`,
  order: "number desc",
  values: [rows, bytes],
});

async function read(
  client: pg.PoolClient,
  rows: number,
  bytes: number,
  most = Number.POSITIVE_INFINITY,
) {
  const told = { expected: [] as number[], spent: [] as number[] };
  const budget: ReadBudget = {
    expect: (all) => told.expected.push(all),
    spend: (some) => told.spent.push(some),
  };
  const numbers: number[] = [];
  const going = new AbortController().signal;
  for await (const { number, body } of readPortions<Row>(
    client,
    query(rows, bytes),
    budget,
    going,
  )) {
    if (body.length !== bytes || body[0] !== number % 256) throw new Error(`row ${number} is odd`);
    numbers.push(number);
    if (numbers.length === most) break;
  }
  return { ...told, numbers };
}

test("rows come in their order, whether one portion holds them or many, and are counted before", async (t) => {
  await using database = await freshDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  const client = await pool.connect();
  const cases: [rows: number, bytes: number, portions: number][] = [
    [0, 1, 0],
    [1, 10, 1],
    [5_000, 10, 1],
    [8, MEGABYTE, 1],
    [9, MEGABYTE, 2],
    [20, MEGABYTE, 3],
    [3, 9 * MEGABYTE, 3],
    [7, 3 * MEGABYTE, 3],
  ];
  await client.query("begin transaction isolation level repeatable read read only");
  for (const [rows, bytes, portions] of cases) {
    const { numbers, expected, spent } = await read(client, rows, bytes);
    t.deepEqual(
      numbers,
      Array.from({ length: rows }, (_, at) => rows - at),
    );
    t.deepEqual(expected, [rows * bytes]);
    t.is(spent.length, portions, `${rows} rows of ${bytes} bytes`);
    t.is(
      spent.reduce((sum, some) => sum + some, 0),
      rows * bytes,
    );
  }
  // Left early, it reads no more, and the next read finds nothing in its way.
  const { numbers, spent } = await read(client, 40, MEGABYTE, 10);
  t.deepEqual([numbers.length, spent.length], [10, 2]);
  t.is((await read(client, 12, MEGABYTE)).numbers.length, 12);
  await client.query("rollback");
  client.release();
  await pool.end();
});
