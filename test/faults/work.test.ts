import test from "ava";
import { faultWork, SHORT } from "./work.ts";

test("collectors that are killed and stopped do everything once, and nothing is lost", async (t) => {
  t.timeout(240_000);
  const { kills, stops, accepted, wrongs } = await faultWork(SHORT);
  t.deepEqual(wrongs, []);
  t.true(kills + stops > 0 && accepted > 0);
});
