/** The command that installs a collector, as it is shown with its token, run by real shells. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { inspect } from "node:util";
import test from "ava";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { renderCollectorCommands } from "../../../server/enrollment-profiles/commands.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

const INSTALLER = "packaging/linux/install.sh";
const STUBS = 'curl() { printf "[%s]" "$@"; }; sudo() { cat; printf "[%s]" "$@"; };';

const logged: unknown[] = [];
const keep = (fields: object, message: string) => logged.push({ ...fields, message });

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer(
    {
      publicUrl: "https://lumetry.example.com/",
      installerUrlLinux: "https://downloads.example.com/agent/install.sh",
    },
    { debug: keep, info: keep, warn: keep, error: keep },
  );
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const create = async (on: TestServer = server, as: Owner = owner) => {
  const answer = await on
    .client(CollectorService, as.token)
    .createCollector({ displayName: "db-7", zoneId: as.zoneId });
  const { collector, enrollmentToken, commands } = answer;
  if (!collector || !enrollmentToken || !commands) throw new Error("not all is there");
  return { collectorId: collector.collectorId, token: enrollmentToken.secret, commands };
};

test("registering a collector shows the command that installs it, with this deployment's places and its token", async (t) => {
  const { token, commands } = await create();
  t.is(
    commands.linux,
    `curl -fsSL \\
  https://downloads.example.com/agent/install.sh |
  sudo bash -s -- \\
  --component collector \\
  --backend https://lumetry.example.com \\
  --enroll-token ${token}`,
  );
  t.is(commands.windows, "");
  t.is(commands.program, "");
  t.deepEqual(commands.relays, []);
  t.regex(commands.notes.join("\n"), /certificate was made/);
});

test("a token that takes the place of another comes with the same command", async (t) => {
  const { collectorId, token, commands } = await create();
  const { enrollmentToken, commands: again } = await server
    .client(CollectorService, owner.token)
    .replaceEnrollmentToken({ collectorId });
  t.is(
    again?.linux,
    commands.linux.replace(token, () => enrollmentToken?.secret ?? ""),
  );
  t.deepEqual(again?.notes, commands.notes);
});

test("a shell reads the command as it is meant, and the installer knows every flag of it", async (t) => {
  const { token, commands } = await create();
  const read = execFileSync("bash", ["-c", `${STUBS}\n${commands.linux}`]).toString();
  t.is(
    read,
    `[-fsSL][https://downloads.example.com/agent/install.sh][bash][-s][--][--component][collector][--backend][https://lumetry.example.com][--enroll-token][${token}]`,
  );
  // The real installer gets past its flags; --version then ends it.
  const version = 'printf() { command printf %s "$1" >/dev/null; command printf "$@"; }';
  const real = `curl() { cat ${INSTALLER}; }; sudo() { "$@" --version; }; ${version}`;
  t.is(execFileSync("bash", ["-c", `${real}\n${commands.linux}`]).toString(), "none\n");
});

test("an authority made here is written to a file first, which the download or the installer is told of", async (t) => {
  const authority = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const folder = await mkdtemp(path.join(tmpdir(), "lumetry-command-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const readBy = async (installerUrlLinux: string) => {
    const deployment = {
      publicUrl: "https://here.example:8443",
      installerUrlLinux,
      installerUrlWindows: undefined,
      authority,
    };
    const { linux } = renderCollectorCommands(deployment, "lmtce_x");
    const out = execFileSync("sh", ["-c", `${STUBS}\n${linux}`], { cwd: folder }).toString();
    t.is(await readFile(path.join(folder, "lumetry-ca.pem"), "utf8"), authority);
    return out;
  };
  const flags = "[--component][collector][--backend][https://here.example:8443]";
  t.is(
    await readBy("https://here.example:8443/packages/install.sh"),
    `[-fsSL][--cacert][lumetry-ca.pem][https://here.example:8443/packages/install.sh][bash][-s][--]${flags}[--enroll-token][lmtce_x]`,
  );
  t.is(
    await readBy("https://downloads.example.com/install.sh"),
    `[-fsSL][https://downloads.example.com/install.sh][bash][-s][--]${flags}[--enroll-token][lmtce_x][--ca-file][lumetry-ca.pem]`,
  );
});

test("the token of the command is in no line of the audit log, and of the server's own", async (t) => {
  const { collectorId, token } = await create();
  const collectors = server.client(CollectorService, owner.token);
  const { enrollmentToken } = await collectors.replaceEnrollmentToken({ collectorId });
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: collectorId });
  t.deepEqual(
    auditEvents.map(({ action }) => action),
    ["collector.token_replaced", "collector.created"],
  );
  const kept = JSON.stringify(
    await server.sql(
      "select (select json_agg(a) from audit_events a) as a, (select json_agg(c) from collectors c) as c, (select json_agg(e) from edges e) as e",
    ),
  );
  t.true(kept.includes(collectorId));
  t.not(logged.length, 0);
  const written = inspect(logged, { depth: 10, maxArrayLength: null, maxStringLength: null });
  for (const secret of [token, enrollmentToken?.secret ?? "?"]) {
    t.false(kept.includes(secret));
    t.false(written.includes(secret));
  }
});

test("where nothing is there to install it from, that is told in place of a command", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-packages-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const layOut = async (...archives: string[]) => {
    const installer = await readFile(INSTALLER);
    let sums = "";
    for (const name of ["install.sh", ...archives]) {
      const data = name === "install.sh" ? installer : Buffer.from(name);
      await writeFile(path.join(directory, name), data);
      sums += `${createHash("sha256").update(data).digest("hex")}  ${name}\n`;
    }
    await writeFile(path.join(directory, "SHA256SUMS"), sums);
  };
  // A release of agents alone would have its installer, and no package for it to fetch.
  await layOut("lumetry-agent-9.9.9-linux-x64.tar.gz");
  {
    await using bare = await startTestServer({ packagesDir: directory });
    const { commands } = await create(bare, await setUp(bare));
    t.is(commands.linux, "");
    t.is(commands.notes.length, 1);
    t.regex(commands.notes[0] ?? "", /no Linux installer for collectors: set --packages-dir/);
  }
  await layOut("lumetry-collector-9.9.9-linux-x64.tar.gz");
  await using whole = await startTestServer({ packagesDir: directory });
  const { commands } = await create(whole, await setUp(whole));
  t.regex(commands.linux, /^cat > lumetry-ca\.pem <<'PEM'\n-----BEGIN CERTIFICATE-----\n/);
  t.regex(
    commands.linux,
    /curl -fsSL --cacert lumetry-ca\.pem \\\n {2}https:\S+\/packages\/install\.sh \|/,
  );
  t.regex(commands.notes.join("\n"), /commands carry its authority/);
});
