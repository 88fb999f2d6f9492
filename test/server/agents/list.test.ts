import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import {
  Attention_Kind as Kind,
  EdgeOrder as OrderBy,
  EdgeStatus as Status,
} from "../../../gen/lumetry/v1/edge_pb.js";
import { addProfile, enrollAgent } from "../../support/agent.ts";
import { makeProcess } from "../../support/collector.ts";
import { refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
/** By name: of the five hosts, "c" never reported, "d" is skewed, "e" is revoked. */
const ids: Record<string, string> = {};

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  const { token } = await addProfile(server, owner);
  for (const [index, hostname] of ["b", "C", "a", "d", "e"].entries()) {
    const host = { hostname, machineFingerprint: hostname };
    const { agentId, credential } = await enrollAgent(server, token, { host });
    ids[hostname.toLowerCase()] = agentId;
    if (hostname === "C") continue;
    await makeProcess(server, credential).beat({
      queue: { queueId: "q", queuedPoints: BigInt(index) },
      sentTime: timestampFromMs(Date.now() + (hostname === "d" ? 90_000 : 0)),
    });
  }
  await agents().revokeAgent({ agentId: ids.e ?? "" });
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const agents = () => server.client(AgentService, owner.token);

/** All pages, two at a time. */
async function listAll(asked: Parameters<ReturnType<typeof agents>["listAgents"]>[0]) {
  const names: string[] = [];
  let pageToken = "";
  do {
    const page = await agents().listAgents({ ...asked, pageSize: 2, pageToken });
    names.push(...page.agents.map(({ displayName }) => displayName));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return names.join("").toLowerCase();
}

test("hosts are sorted as asked, either way, over all pages", async (t) => {
  const orders: [OrderBy, string][] = [
    [OrderBy.UNSPECIFIED, "edacb"],
    [OrderBy.CREATE_TIME, "edacb"],
    [OrderBy.DISPLAY_NAME, "abcde"],
    [OrderBy.LAST_SEEN_TIME, "edabc"],
  ];
  for (const [orderBy, expected] of orders) {
    t.is(await listAll({ orderBy }), expected);
    t.is(await listAll({ orderBy, reversed: true }), [...expected].toReversed().join(""));
  }
  t.regex(await listAll({ orderBy: OrderBy.QUEUED_POINTS }), /^eda(bc|cb)$/);
});

test("the first page tells how many there are of what is asked for", async (t) => {
  t.is((await agents().listAgents({ pageSize: 1 })).totalSize, 5n);
  t.is((await agents().listAgents({ statuses: [Status.REVOKED] })).totalSize, 1n);
  t.is((await agents().listAgents({ search: ids.a?.toUpperCase() ?? "" })).totalSize, 1n);
});

test("those that need attention are found, by what each of them shows", async (t) => {
  t.is(await listAll({ needsAttention: true }), "d");
  t.is(await listAll({ attentionKinds: [Kind.CLOCK_SKEW] }), "d");
  t.is(await listAll({ attentionKinds: [Kind.MISSED_HEARTBEATS] }), "");
  await server.sql(
    "update edges set enrolled_at = wall_clock() - interval '1 day', last_seen_at = null where edge_id = $1",
    [ids.c],
  );
  await server.sql("update agents set placement = 'AMBIGUOUS' where agent_id = $1", [ids.b]);
  t.is(await listAll({ needsAttention: true, orderBy: OrderBy.DISPLAY_NAME }), "bcd");
  const { agents: all } = await agents().listAgents({});
  for (const agent of all) {
    for (const { kind } of agent.attention) {
      const { agents: found } = await agents().listAgents({ attentionKinds: [kind] });
      t.true(
        found.some(({ agentId }) => agentId === agent.agentId),
        Kind[kind],
      );
    }
  }
});

test("the fleet is told in numbers", async (t) => {
  const { summary } = await agents().summarizeAgents({});
  t.is(summary?.queuedPoints, 5n);
  const counts = new Map(summary?.statuses.map(({ status, edges }) => [status, edges]));
  t.deepEqual(
    counts,
    new Map([
      [Status.ACTIVE, 4n],
      [Status.REVOKED, 1n],
    ]),
  );
  t.is(summary?.attention.find(({ kind }) => kind === Kind.CLOCK_SKEW)?.edges, 1n);
  t.true((summary?.needingAttention ?? 0n) >= 1n);
});

test("a page token of another order is refused, not misread", async (t) => {
  const { nextPageToken } = await agents().listAgents({
    pageSize: 1,
    orderBy: OrderBy.DISPLAY_NAME,
  });
  t.like(await refused(agents().listAgents({ pageToken: nextPageToken })), {
    code: Code.InvalidArgument,
  });
});
