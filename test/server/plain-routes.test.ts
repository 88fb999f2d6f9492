import test from "ava";
import { Role } from "../../gen/lumetry/access/v1/access_pb.js";
import { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import { send } from "../support/post.ts";
import {
  addPerson,
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../support/server.ts";

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const get = (path: string, token?: string) =>
  send(server, { ":path": path, ...(token && { authorization: `Bearer ${token}` }) });

test("the front page says what this is and where to go on", async (t) => {
  const { status, headers, text } = await get("/");
  t.is(status, 200);
  t.regex(String(headers["content-type"]), /^text\/plain/);
  t.regex(text, /Lumetry/);
  t.regex(text, /README/);
});

test("the probes answer anybody", async (t) => {
  t.deepEqual(JSON.parse((await get("/healthz")).text), { status: "up" });
  t.deepEqual(JSON.parse((await get("/readyz?verbose=1")).text), { status: "ready" });
  const head = await send(server, { ":method": "HEAD", ":path": "/readyz" });
  t.is(head.status, 200);
  t.is(head.text, "");
});

test("a page is for reading", async (t) => {
  const { status, headers, text } = await send(
    server,
    { ":method": "POST", ":path": "/readyz" },
    "{}",
  );
  t.is(status, 405);
  t.is(headers.allow, "GET, HEAD");
  t.regex(text, /POST is not served here, only GET and HEAD/);
});

test("where nothing is, the answer names the paths worth trying", async (t) => {
  const { status, text } = await get("/metric");
  t.is(status, 404);
  const { code, message, paths } = JSON.parse(text);
  t.is(code, "unimplemented");
  t.regex(message, /nothing at this path/);
  for (const path of ["/metrics", "/readyz", "/lumetry.ingest.v1.MetricsService/{method}"]) {
    t.true(paths.includes(path), path);
  }
});

test("the counts are the owner's alone", async (t) => {
  const admin = await addPerson(server, owner.token, Role.ADMIN);
  const tenant = await addWorkspace(server, owner.token);
  const stranger = await get("/metrics");
  t.is(stranger.status, 401);
  t.is(stranger.headers["www-authenticate"], "Bearer");
  t.regex(stranger.text, /send a credential/);
  t.is((await get("/metrics", "rubbish")).status, 401);
  for (const { token } of [admin, tenant]) {
    const { status, text } = await get("/metrics", token);
    t.is(status, 403);
    t.regex(text, /takes the role owner; yours is admin/);
  }
});

test("Prometheus reads what the server counts", async (t) => {
  await t.throwsAsync(server.client(ZoneService, owner.token).getZone({ zoneId: "zon.nothing" }));
  await t.throwsAsync(server.client(ZoneService).getZone({ zoneId: "zon.nothing" }));
  const { status, headers, text } = await get("/metrics", owner.token);
  t.is(status, 200);
  t.regex(String(headers["content-type"]), /^text\/plain; version=0.0.4/);
  const value = (line: string) => {
    const found = text.split("\n").find((other) => other.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.slice(line.length));
  };
  const GET_ZONE = 'method="lumetry.v1.ZoneService/GetZone"';
  t.is(value(`lumetry_calls_total{${GET_ZONE},code="NotFound"}`), 1);
  t.is(value(`lumetry_calls_total{${GET_ZONE},code="Unauthenticated"}`), 1);
  t.is(value(`lumetry_call_duration_seconds_count{${GET_ZONE}}`), 2);
  for (const name of [
    "lumetry_connections",
    "lumetry_database_connections_most",
    "process_resident_memory_bytes",
  ]) {
    t.true((value(name) ?? 0) > 0, name);
  }
  for (const name of ["nodejs_eventloop_lag_seconds", "lumetry_database_connections_waiting"]) {
    t.true((value(name) ?? -1) >= 0, name);
  }
  for (const name of [
    "lumetry_connections_refused_total",
    "lumetry_points_accepted_total",
    "lumetry_points_refused_total",
    "lumetry_commit_bytes_count",
  ]) {
    t.is(value(name), 0, name);
  }
});

test("two servers in one process count apart", async (t) => {
  await using other = await startTestServer();
  const { token } = await setUp(other);
  const { text } = await send(other, { ":path": "/metrics", authorization: `Bearer ${token}` });
  t.notRegex(text, /ZoneService\/GetZone/);
});
