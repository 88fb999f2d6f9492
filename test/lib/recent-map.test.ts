import test from "ava";
import { makeRecentMap } from "../../lib/recent-map.ts";

test("what is asked for again and again is kept, however much else comes", (t) => {
  const map = makeRecentMap<number>(20_000);
  map.set("asked for", 1);
  for (let key = 0; key < 10_000; key += 1) {
    map.set(`once ${key}`, key);
    t.is(map.get("asked for"), 1);
  }
});

test("what nobody asks for is forgotten, and what came last is not", (t) => {
  const map = makeRecentMap<number>(20_000);
  map.set("forgotten", 1);
  for (let key = 0; key < 1_000; key += 1) map.set(`once ${key}`, key);
  t.is(map.get("forgotten"), undefined);
  for (let key = 950; key < 1_000; key += 1) t.is(map.get(`once ${key}`), key);
});

test("a value can take the place of another", (t) => {
  const map = makeRecentMap<string>(1_000);
  map.set("key", "old");
  map.set("key", "new");
  t.is(map.get("key"), "new");
});
