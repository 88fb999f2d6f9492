import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { silentLog } from "../../../lib/log.ts";
import { readSettings } from "../../../lib/settings.ts";
import { startServer } from "../../../server/server.ts";
import { serverSettings } from "../../../server/settings.ts";
import { LUMETRY } from "../../support/cli.ts";
import { refused } from "../../support/refusal.ts";
import { addPerson, setUp, startTestServer } from "../../support/server.ts";

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

const resetOwner = (...args: string[]) =>
  new Promise<Outcome>((resolve) => {
    const command = [LUMETRY, "server", "reset-owner", ...args];
    execFile(process.execPath, command, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
const invitationIn = (text: string) => /lmtiv_\w+/.exec(text)?.[0] ?? "";

test("a sole owner who lost the password gets in again by a command at the server's machine", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  await addPerson(server, owner.token, Role.ADMIN);
  const { code, stdout, stderr } = await resetOwner("--database-url", server.databaseUrl);
  t.is(code, 0, stderr);
  t.regex(stdout, /Olivia Owner \(owner@example\.com\)/);
  const sessions = server.client(SessionService);
  t.is((await server.client(SessionService, owner.token).getSession({})).role, Role.OWNER);

  const password = "a bicycle without a bell";
  const invitation = invitationIn(stdout);
  const { session } = await sessions.acceptInvitation({ invitation, password });
  t.is(session?.user?.userId, owner.userId);
  const token = session?.secret ?? "";
  t.like(await refused(sessions.createSession({ email: owner.email, password: owner.password })), {
    code: Code.Unauthenticated,
  });
  t.like(await refused(server.client(SessionService, owner.token).getSession({})), {
    code: Code.Unauthenticated,
  });
  const { auditEvents } = await server.client(AuditService, token).listAuditEvents({});
  const line = auditEvents.find(({ action }) => action === "invitation.replaced");
  t.like(line, { actorKind: "server", targetId: owner.userId });
  t.regex(line?.details ?? "", /reset-owner/);
});

test("beside a server with the embedded database it works while that runs, and while it does not", async (t) => {
  const dataDir = await mkdtemp(path.join(os.tmpdir(), "lumetry-reset-"));
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  const early = await resetOwner("--data-dir", dataDir);
  t.is(early.code, 1);
  t.regex(early.stderr, /There is no database in .*--data-dir/);

  const settings = readSettings(serverSettings, {
    flags: { listen: "127.0.0.1:0", dataDir, tls: "off" },
  });
  const server = await startServer(settings, { log: silentLog });
  try {
    const nobody = await resetOwner("--data-dir", dataDir);
    t.is(nobody.code, 1);
    t.regex(nobody.stderr, /complete its set-up/);
    await fetch(`${server.url}/lumetry.v1.SetupService/CompleteSetup`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        setupSecret: server.setupSecret,
        workspaceName: "Acme",
        email: "owner@example.com",
        displayName: "Olivia Owner",
        password: "a long walk by the sea",
      }),
    });
    const beside = await resetOwner("--data-dir", dataDir);
    t.is(beside.code, 0, beside.stderr);
    const wrong = await resetOwner("--data-dir", dataDir, "--email", "somebody@example.com");
    t.is(wrong.code, 1);
    t.regex(wrong.stderr, /owner@example\.com {2}Olivia Owner/);
  } finally {
    await server[Symbol.asyncDispose]();
  }
  const alone = await resetOwner("--data-dir", dataDir);
  t.is(alone.code, 0, alone.stderr);
  t.regex(alone.stdout, /lmtiv_/);
});
