import test from "ava";
import { brokenConstraint } from "../../../server/db/database.ts";
import { type ClaimDatabase, explore, openClaimDatabase } from "../../support/claim-model.ts";

const runs = Number(process.env.LUMETRY_CLAIM_RUNS ?? 15);

let database: ClaimDatabase;
test.before(async () => {
  database = await openClaimDatabase();
});
test.after.always(() => database?.[Symbol.asyncDispose]());

test.serial(
  "one owner at a time, nothing lost, nothing stale, whatever happens in between",
  async (t) => {
    await t.notThrowsAsync(explore(database, { runs, steps: 40 }));
  },
);

/** What `holds_claim` would let through if a part of it were forgotten. */
const WITHOUT: Record<string, string> = {
  "fence and token": "(item).claimed_by = by_collector and (item).lease_until >= wall_clock()",
  lease: "(item).fence = by_fence and (item).token_hash = by_token_hash",
  process: `(item).claimed_by = by_collector and (item).lease_until >= wall_clock()
    and (item).token_hash is not null`,
};

for (const [part, condition] of Object.entries(WITHOUT)) {
  test.serial(`the exploration finds it when the ${part} is not looked at`, async (t) => {
    const [{ prosrc }] = (
      await database.pool.query<{ prosrc: string }>(
        "select prosrc from pg_proc where proname = 'holds_claim'",
      )
    ).rows as [{ prosrc: string }];
    const define = (body: string) =>
      database.pool.query(`
        create or replace function holds_claim(item work_items, by_collector text,
          by_process text, by_fence bigint, by_token_hash bytea) returns boolean
        language sql volatile parallel safe as $$ ${body} $$`);
    await define(`select (item).state = 'claimed' and ${condition}`);
    try {
      const error = await t.throwsAsync(
        explore(database, { runs: 100, steps: 40, seed: 1, shrink: false }),
      );
      t.regex(
        String((error?.cause as Error | undefined)?.message),
        /the database says|not to be had/,
      );
      t.log(error?.message.split("\n")[0]);
    } finally {
      await define(prosrc);
    }
  });
}

/** What the database refuses, whatever statement asks for it. */
const REFUSED: Record<string, [before: string, change: string]> = {
  "a fence that goes back": ["fence = 7", "fence = 6"],
  "a claim without a new fence": [
    "fence = 7",
    "state = 'claimed', token_hash = 'a', lease_until = wall_clock()",
  ],
  "work that was done and is due again": [
    "state = 'done', ended_at = wall_clock()",
    "state = 'due', ended_at = null",
  ],
  "work that was done and is claimed": [
    "state = 'done', ended_at = wall_clock()",
    "state = 'claimed', fence = fence + 1, token_hash = 'a', lease_until = wall_clock(), ended_at = null",
  ],
};

for (const [what, [before, change]] of Object.entries(REFUSED)) {
  test.serial(`the database refuses ${what}`, async (t) => {
    await database.reset();
    const { pool } = database;
    const item = "where work_id = 'dlv.1'";
    await pool.query(`update work_items set ${before} ${item}`);
    const error = await t.throwsAsync(pool.query(`update work_items set ${change} ${item}`));
    t.is(brokenConstraint(error), "work_transitions");
  });
}

test.serial("a dead letter may be due again", async (t) => {
  await database.reset();
  const { pool } = database;
  const item = "where work_id = 'dlv.1'";
  await pool.query(`update work_items set state = 'failed', ended_at = wall_clock() ${item}`);
  await t.notThrowsAsync(
    pool.query(`update work_items set state = 'due', ended_at = null ${item}`),
  );
});
