import test from "ava";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import {
  Attention_Kind as Kind,
  EdgeOrder as OrderBy,
  EdgeStatus as Status,
} from "../../../gen/lumetry/v1/edge_pb.js";
import { addFleet, type Fleet } from "../../support/fleet.ts";
import { refused } from "../../support/refusal.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let fleet: Fleet;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  fleet = await addFleet(server, owner);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const collectors = () => server.client(CollectorService, owner.token);
type Ask = Parameters<ReturnType<typeof collectors>["listCollectors"]>[0];

const names = async (ask: Ask) => {
  const { collectors: found, totalSize } = await collectors().listCollectors(ask);
  const list = found.map(({ displayName }) => displayName);
  return { list, totalSize };
};

test("a search finds parts of names, of host names and of versions, and whole ids", async (t) => {
  t.deepEqual((await names({ search: "FRA-" })).list.sort(), ["web-fra-1", "web-fra-2"]);
  t.deepEqual((await names({ search: "primary.example" })).list, ["db-primary"]);
  t.deepEqual((await names({ search: "0.0.9" })).list, ["db-replica"]);
  t.deepEqual((await names({ search: fleet.busy.toUpperCase() })).list, ["db-primary"]);
  t.deepEqual((await names({ search: "%" })).list, [], "a sign of SQL is a sign like any other");
});

test("a list is sorted as asked, and every page goes on where the last one ended", async (t) => {
  const all = (await names({ pageSize: 200 })).list;
  for (const orderBy of [
    OrderBy.UNSPECIFIED,
    OrderBy.DISPLAY_NAME,
    OrderBy.LAST_SEEN_TIME,
    OrderBy.QUEUED_POINTS,
  ]) {
    const whole = (await names({ pageSize: 200, orderBy })).list;
    const backwards = (await names({ pageSize: 200, orderBy, reversed: true })).list;
    t.deepEqual(whole.toSorted(), all.toSorted());
    t.deepEqual(backwards, whole.toReversed());
    const paged: string[] = [];
    let pageToken = "";
    do {
      const page = await collectors().listCollectors({ pageSize: 3, pageToken, orderBy });
      t.is(page.totalSize, pageToken === "" ? BigInt(all.length) : 0n);
      paged.push(...page.collectors.map(({ displayName }) => displayName));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    t.deepEqual(paged, whole);
  }
  const byName = (await names({ pageSize: 200, orderBy: OrderBy.DISPLAY_NAME })).list;
  t.deepEqual(byName, all.toSorted());
  t.is((await names({ orderBy: OrderBy.QUEUED_POINTS })).list[0], "edge-gateway");
});

test("the token of one order is of no use with another", async (t) => {
  const orderBy = OrderBy.DISPLAY_NAME;
  const { nextPageToken } = await collectors().listCollectors({ pageSize: 2, orderBy });
  const refusal = await refused(collectors().listCollectors({ pageToken: nextPageToken }));
  t.regex(refusal.message, /page_token is none that this list gave out/);
});

test("a list of what needs attention shows just those whose page says so, matter by matter", async (t) => {
  const { collectors: all } = await collectors().listCollectors({ pageSize: 200 });
  const needing = all.filter(({ attention }) => attention.length > 0);
  t.deepEqual(
    (await names({ pageSize: 200, needsAttention: true })).list.toSorted(),
    needing.map(({ displayName }) => displayName).toSorted(),
  );
  const kinds = Object.values(Kind).filter(
    (kind): kind is Kind => typeof kind === "number" && kind > 0,
  );
  const { summary } = await collectors().summarizeCollectors({});
  const counted = new Map(summary?.attention.map(({ kind, edges }) => [kind, edges]));
  for (const kind of kinds) {
    const concerned = all.filter(({ attention }) => attention.some((each) => each.kind === kind));
    t.deepEqual(
      (await names({ pageSize: 200, attentionKinds: [kind] })).list.toSorted(),
      concerned.map(({ displayName }) => displayName).toSorted(),
      Kind[kind],
    );
    t.is(counted.get(kind) ?? 0n, BigInt(concerned.length), Kind[kind]);
  }
  t.is(summary?.needingAttention, BigInt(needing.length));
  t.true(counted.size >= 5, "the fleet has matters of many kinds");
});

test("the fleet is counted by status, with what waits in its queues and what they lost", async (t) => {
  const { collectors: all } = await collectors().listCollectors({ pageSize: 200 });
  const { summary } = await collectors().summarizeCollectors({});
  for (const status of [
    Status.PENDING,
    Status.ACTIVE,
    Status.DUPLICATE_SUSPECTED,
    Status.REVOKED,
  ]) {
    const count = summary?.statuses.find((each) => each.status === status)?.edges ?? 0n;
    t.is(count, BigInt(all.filter((each) => each.status === status).length), Status[status]);
    t.true(count > 0n, Status[status]);
  }
  const sum = (count: (each: (typeof all)[number]) => bigint | undefined) =>
    all.reduce((total, each) => total + (count(each) ?? 0n), 0n);
  t.is(
    summary?.queuedPoints,
    sum(({ queue }) => queue?.queuedPoints),
  );
  t.is(
    summary?.droppedPoints,
    sum(({ queue }) => queue?.droppedPoints),
  );
  t.true((summary?.droppedPoints ?? 0n) > 0n);
});

test("another workspace sees nothing of it", async (t) => {
  const other = await addWorkspace(server, owner.token);
  const theirs = server.client(CollectorService, other.token);
  t.deepEqual((await theirs.listCollectors({ search: fleet.busy })).collectors, []);
  t.like((await theirs.summarizeCollectors({})).summary, { needingAttention: 0n, statuses: [] });
});
