import test from "ava";
import { readJsonPath } from "../../../../collector/work/kinds/json-path.ts";
import { pollOnce } from "../../../support/polling.ts";
import { startHttpTarget } from "../../../support/target.ts";

async function read(document: unknown, metrics: object[]) {
  await using target = await startHttpTarget((_, response) => {
    response.end(typeof document === "string" ? document : JSON.stringify(document));
  });
  return await pollOnce({ case: "jsonHttp", value: { http: { url: target.url }, metrics } });
}

const DOCUMENT = {
  up: true,
  uptime: "12.5",
  queues: [
    { name: "mail", depth: 3, "dead letters": 1 },
    { name: "jobs", depth: 0, "dead letters": null },
  ],
  disks: { sda: { used: 1e9, tags: ["a", "b"] }, sdb: { used: 2e9, tags: ["c"] } },
  name: "shop",
};

test("paths lead to values, and wildcards to one series for each element, with its labels", async (t) => {
  const seen = await read(DOCUMENT, [
    { metric: "app.up", path: "$.up" },
    { metric: "app.uptime", path: "$.uptime", unit: "s", kind: 2, description: "Up" },
    {
      metric: "queue.depth",
      path: "$.queues[*].depth",
      labels: { queue: "$.queues[*].name", app: "$.name", site: "=north" },
    },
    {
      metric: "queue.dead",
      path: "$.queues[*]['dead letters']",
      labels: { queue: "$.queues[*].name" },
    },
    { metric: "disk.used", path: "$.disks.*.used", labels: { tag: "$.disks.*.tags[0]" } },
    { metric: "first.depth", path: '$["queues"][0].depth' },
    { metric: "missing", path: "$.nowhere", optional: true },
  ]);
  t.is(seen.failure, "");
  t.deepEqual(seen.values, {
    "app.up": 1,
    "app.uptime": 12.5,
    'queue.depth{queue="mail",app="shop",site="north"}': 3,
    'queue.depth{queue="jobs",app="shop",site="north"}': 0,
    'queue.dead{queue="mail"}': 1,
    'disk.used{tag="a"}': 1e9,
    'disk.used{tag="c"}': 2e9,
    "first.depth": 3,
  });
  const [up, uptime] = seen.reading.metadata;
  t.deepEqual([up?.kind, uptime?.kind, uptime?.unit, uptime?.description], [1, 2, "s", "Up"]);
});

test("what is missing, no number or no JSON fails the poll, and the words say which", async (t) => {
  const of = async (document: unknown, path: string) =>
    (await read(document, [{ metric: "m", path }])).failure;
  t.is(await of(DOCUMENT, "$.nowhere"), "there is nothing at $.nowhere");
  t.is(await of(DOCUMENT, "$.name"), "$.name leads to something that is no number");
  t.is(await of(DOCUMENT, "$.queues[0]"), "$.queues[0] leads to something that is no number");
  t.regex(await of("<html>", "$.a"), /no JSON: "<html>"/);
  t.regex(await of(DOCUMENT, "$..name"), /metric m: \$\.\.name cannot be read from character 2 on/);
  t.regex(await of(DOCUMENT, "name"), /does not start with "\$"/);
  t.is(await of({}, "$.constructor"), "there is nothing at $.constructor");
  t.is(await of({ a: [] }, "$.a.length"), "there is nothing at $.a.length");
  const wide = Array.from({ length: 400 }, () => Array.from({ length: 400 }, () => [1, 2]));
  t.regex(await of(wide, "$[*][*][*]"), /metric m: leads to too many places|20,000/);
});

test("paths are read in time that grows with their length only", (t) => {
  t.throws(() => readJsonPath(`$${"[0]".repeat(40)}`), { message: /more than 32 steps/ });
  t.throws(() => readJsonPath(`$['${"\\".repeat(100_000)}`));
  t.throws(() => readJsonPath(`$[${" ".repeat(100_000)}`));
});
