import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  CreateSessionResponseSchema,
  GetSessionResponseSchema,
} from "../../../gen/lumetry/v1/session_service_pb.js";
import { UserService } from "../../../gen/lumetry/v1/user_service_pb.js";
import { openShell } from "../../support/cli.ts";
import { setUp, startTestServer } from "../../support/server.ts";

const PASSWORD = "a long walk by the sea";

test("the first person sets a server up, is remembered, and signs out", async (t) => {
  await using server = await startTestServer();
  await using shell = await openShell();
  const secret = server.setupSecret ?? "";

  const setUpDone = await shell.lumetry(
    ["login", "--server", server.url, "--ca", server.caFile, "--setup", secret].concat([
      "--email",
      "ada@example.com",
      "--name",
      "Ada",
      "--workspace",
      "Acme",
    ]),
    { input: `${PASSWORD}\n` },
  );
  t.is(setUpDone.code, 0, setUpDone.stderr);
  t.regex(setUpDone.stdout, /Signed in to https:\S+ as Ada, owner\./);
  t.notRegex(setUpDone.stdout, /lmtss_/);

  const file = path.join(shell.home, ".config/lumetry/cli.json");
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.regex(await readFile(file, "utf8"), /lmtss_/);

  const whoami = await shell.lumetry(["whoami"]);
  t.regex(whoami.stdout, /name +Ada\n/);
  t.regex(whoami.stdout, /workspace +Acme +wsp\./);
  t.regex(whoami.stdout, /role +owner\n/);
  const { user, role } = await shell.ask(GetSessionResponseSchema, ["whoami"]);
  t.is(user?.email, "ada@example.com");
  t.is(role, Role.OWNER);

  const out = await shell.lumetry(["logout"]);
  t.is(out.code, 0, out.stderr);
  t.notRegex(await readFile(file, "utf8"), /lmtss_/);
  const after = await shell.lumetry(["whoami"]);
  t.is(after.code, 3);
  t.regex(after.stderr, /not signed in to https:\S+\.\nSign in with "lumetry login"/);

  // The server and its certificate are still known; the password comes from the environment.
  const again = await shell.ask(CreateSessionResponseSchema, ["login"], {
    environment: { LUMETRY_PASSWORD: PASSWORD },
  });
  t.is(again.session?.user?.email, "ada@example.com");
  t.is(again.session?.secret, "");
  t.is((await shell.lumetry(["whoami"])).code, 0);
});

test("an invited person accepts, and changes the password", async (t) => {
  await using server = await startTestServer();
  await using shell = await openShell();
  const owner = await setUp(server);
  const { invitation } = await server.client(UserService, owner.token).createUser({
    email: "bob@example.com",
    displayName: "Bob",
    role: Role.OPERATOR,
  });
  const place = ["--server", server.url, "--ca", server.caFile];

  const accepted = await shell.lumetry(
    ["login", ...place, "--invitation"],
    // Secrets need not be in the command, where a shell's history keeps them.
    { input: `${invitation?.secret}\n${PASSWORD}\n` },
  );
  t.regex(accepted.stdout, /as Bob, operator/, accepted.stderr);

  const next = "an umbrella in the hall";
  const changed = await shell.lumetry(["password"], { input: `${PASSWORD}\n${next}\n` });
  t.is(changed.code, 0, changed.stderr);
  t.regex(changed.stdout, /The password was changed/);

  const wrong = await shell.lumetry(["login", "--email", "bob@example.com"], {
    input: `${PASSWORD}\n`,
  });
  t.is(wrong.code, 3);
  t.regex(wrong.stderr, /^lumetry: The e-mail address or the password is wrong/);
  t.notRegex(wrong.stderr, /Sign in with/);
  const right = await shell.lumetry(["login", "--email", "bob@example.com"], {
    input: `${next}\n`,
  });
  t.is(right.code, 0, right.stderr);
});
