import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import pg from "pg";
import type { Role } from "../../gen/lumetry/access/v1/access_pb.js";
import { SessionService } from "../../gen/lumetry/v1/session_service_pb.js";
import { SetupService } from "../../gen/lumetry/v1/setup_service_pb.js";
import { UserService } from "../../gen/lumetry/v1/user_service_pb.js";
import { WorkspaceService } from "../../gen/lumetry/v1/workspace_service_pb.js";
import { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import { type Log, makeLog, silentLog } from "../../lib/log.ts";
import { readSettings } from "../../lib/settings.ts";
import { type Server, startServer } from "../../server/server.ts";
import { type ServerSettings, serverSettings } from "../../server/settings.ts";
import { migratedDatabase } from "./database.ts";
import { makeTransports, type TransportOptions } from "./transports.ts";

/** A real server in this process, over TLS, on a database and in a directory of its own. */
export interface TestServer extends AsyncDisposable {
  server: Server;
  url: string;
  /** The certificate to trust, in PEM form; empty without TLS. */
  ca: string;
  caFile: string;
  databaseUrl: string;
  setupSecret: string | undefined;
  transport(options?: TransportOptions): Transport;
  /** All clients over HTTP/2 share one connection. */
  client<S extends DescService>(service: S, token?: string, relay?: string): Client<S>;
  /** Asks the database itself: for looking, and for shifting time. */
  sql<Row extends pg.QueryResultRow>(query: string, parameters?: unknown[]): Promise<Row[]>;
}

/** A server in this process or in another. */
export type AnyServer = Pick<
  TestServer,
  "url" | "caFile" | "setupSecret" | "transport" | "client" | "sql"
>;

/** Rate limits are out of the way unless a test asks for them. */
export async function startTestServer(
  overrides: Partial<ServerSettings> = {},
  log: Log = process.env.LUMETRY_TEST_LOG ? makeLog("debug") : silentLog,
): Promise<TestServer> {
  await using started = new AsyncDisposableStack();
  const dataDir = await mkdtemp(path.join(tmpdir(), "lumetry-server-"));
  started.defer(() => rm(dataDir, { recursive: true, force: true }));
  const databaseUrl = overrides.databaseUrl ?? started.use(await migratedDatabase()).url;
  const pool = started.adopt(new pg.Pool({ connectionString: databaseUrl, max: 2 }), (opened) =>
    opened.end(),
  );
  pool.on("error", () => {}); // a test may restart the database

  const settings: ServerSettings = {
    ...readSettings(serverSettings, {
      flags: { listen: "127.0.0.1:0", callsPerSecond: 10_000, anonymousCallsPerSecond: 10_000 },
    }),
    dataDir,
    ...overrides,
    databaseUrl,
  };
  const server = started.use(await startServer(settings, { log }));
  const { url, caFile = "" } = server;
  const ca = caFile ? await readFile(caFile, "utf8") : "";

  const { transport } = started.use(makeTransports(url, ca));
  const stack = started.move();
  return {
    server,
    url,
    ca,
    caFile,
    databaseUrl,
    setupSecret: server.setupSecret,
    transport,
    client: (service, token, relay) =>
      createClient(
        service,
        transport({ ...(token !== undefined && { token }), ...(relay !== undefined && { relay }) }),
      ),
    sql: async <Row extends pg.QueryResultRow>(query: string, parameters: unknown[] = []) =>
      (await pool.query<Row>(query, parameters)).rows,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export interface Owner {
  token: string;
  workspaceId: string;
  zoneId: string;
  userId: string;
  email: string;
  password: string;
}

/** Completes the set-up, as its owner would. */
export async function setUp(server: AnyServer): Promise<Owner> {
  const email = "owner@example.com";
  const password = "a long walk by the sea";
  const { session } = await server.client(SetupService).completeSetup({
    setupSecret: server.setupSecret ?? "",
    workspaceName: "Acme",
    email,
    displayName: "Olivia Owner",
    password,
  });
  const token = session?.secret ?? "";
  return {
    ...(await whereabouts(server, token)),
    token,
    userId: session?.user?.userId ?? "",
    email,
    password,
  };
}

export interface AddedPerson {
  token: string;
  userId: string;
  email: string;
  password: string;
}

/** Invites a person and accepts in their place; `role` is at most ROLE_ADMIN. */
export async function addPerson(
  server: TestServer,
  adminToken: string,
  role: Role,
): Promise<AddedPerson> {
  const email = `${randomUUID()}@example.com`;
  const { user, invitation } = await server
    .client(UserService, adminToken)
    .createUser({ email, displayName: `Person ${email.slice(0, 8)}`, role });
  const password = "an umbrella in the hall";
  return {
    token: await accept(server, invitation?.secret, password),
    userId: user?.userId ?? "",
    email,
    password,
  };
}

/** Another tenant; the token is its administrator's. */
export async function addWorkspace(
  server: TestServer,
  ownerToken: string,
): Promise<{ token: string; workspaceId: string; zoneId: string }> {
  const { invitation } = await server.client(WorkspaceService, ownerToken).createWorkspace({
    displayName: "Globex",
    adminEmail: `${randomUUID()}@example.org`,
    adminDisplayName: "Alma Administrator",
  });
  const token = await accept(server, invitation?.secret, "a lamp on the window sill");
  return { ...(await whereabouts(server, token)), token };
}

async function accept(server: TestServer, invitation = "", password: string): Promise<string> {
  const { session } = await server
    .client(SessionService)
    .acceptInvitation({ invitation, password });
  return session?.secret ?? "";
}

async function whereabouts(server: AnyServer, token: string) {
  const [{ workspaceId }, { zones }] = await Promise.all([
    server.client(SessionService, token).getSession({}),
    server.client(ZoneService, token).listZones({}),
  ]);
  return { workspaceId, zoneId: zones[0]?.zoneId ?? "" };
}
