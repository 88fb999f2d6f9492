import test from "ava";
import { faultZone, SHORT } from "./zone.ts";

test("a zone is cut off, and then one of its two collectors: every slot of its sources has one result", async (t) => {
  t.timeout(240_000);
  const { slots, filled, wrongs } = await faultZone(SHORT);
  t.deepEqual(wrongs, []);
  t.true(slots > filled && filled > 0);
});
