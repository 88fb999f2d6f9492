import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { WorkspaceService } from "../../../gen/lumetry/v1/workspace_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { refused } from "../../support/refusal.ts";
import {
  addPerson,
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({ seriesLimit: 1234 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const workspaces = (token: string) => server.client(WorkspaceService, token);

test("everybody sees their own workspace and how many series it may have", async (t) => {
  const viewer = await addPerson(server, owner.token, Role.VIEWER);
  const { workspace } = await workspaces(viewer.token).getWorkspace({});
  t.is(workspace?.workspaceId, owner.workspaceId);
  t.is(workspace?.displayName, "Acme");
  t.is(workspace?.seriesCount, 0n);
  t.is(workspace?.seriesLimit, 1234n);
  t.truthy(workspace?.createTime);
});

test("an administrator renames their own workspace and no other", async (t) => {
  const theirs = await addWorkspace(server, owner.token);
  const { workspace } = await workspaces(theirs.token).updateWorkspace({ displayName: "Initech" });
  t.is(workspace?.workspaceId, theirs.workspaceId);
  t.is((await workspaces(theirs.token).getWorkspace({})).workspace?.displayName, "Initech");
  t.is((await workspaces(owner.token).getWorkspace({})).workspace?.displayName, "Acme");

  const operator = await addPerson(server, theirs.token, Role.OPERATOR);
  const refusal = await refused(
    workspaces(operator.token).updateWorkspace({ displayName: "Mine" }),
  );
  t.is(refusal.code, Code.PermissionDenied);
});

test("an owner adds a tenant, whose first administrator comes by invitation", async (t) => {
  const created = await workspaces(owner.token).createWorkspace({
    displayName: "Umbrella",
    adminEmail: "ada@umbrella.example",
    adminDisplayName: "Ada",
  });
  t.is(created.workspace?.displayName, "Umbrella");
  t.is(created.workspace?.seriesLimit, 1234n);
  const { session } = await server.client(SessionService).acceptInvitation({
    invitation: created.invitation?.secret ?? "",
    password: "under the umbrella",
  });
  const token = session?.secret ?? "";
  const me = await server.client(SessionService, token).getSession({});
  t.is(me.workspaceId, created.workspace?.workspaceId ?? "");
  t.is(me.role, Role.ADMIN);
  const { zones } = await server.client(ZoneService, token).listZones({});
  t.deepEqual(
    zones.map((zone) => zone.displayName),
    ["default"],
  );
  const again = workspaces(token).createWorkspace({
    displayName: "Another",
    adminEmail: "another@example.com",
    adminDisplayName: "Another",
  });
  t.is((await refused(again)).code, Code.PermissionDenied);
});

test("a tenant that could not be added leaves nothing behind", async (t) => {
  const refusal = await refused(
    workspaces(owner.token).createWorkspace({
      displayName: "Half Made",
      adminEmail: owner.email,
      adminDisplayName: "Twin",
    }),
  );
  t.is(refusal.code, Code.AlreadyExists);
  const found = await server.sql("select 1 from workspaces where display_name = 'Half Made'");
  t.is(found.length, 0);
});

test("a new tenant's audit log names nobody of another workspace", async (t) => {
  const theirs = await addWorkspace(server, owner.token);
  const lines = await server.sql<{ action: string; actor_kind: string }>(
    "select * from audit_events where workspace_id = $1 order by audit_event_id",
    [theirs.workspaceId],
  );
  t.like(lines[0], { action: "user.created", actor_kind: "server" });
  t.false(JSON.stringify(lines).includes(owner.userId));
  const [mine] = await server.sql(
    "select workspace_id, actor_id from audit_events where target_id = $1",
    [theirs.workspaceId],
  );
  t.deepEqual(mine, { workspace_id: owner.workspaceId, actor_id: owner.userId });
});
