/** The commands that install an agent, in the forms that the documents show, run by real shells. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { EnrollmentProfileService } from "../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import {
  TopologyNode_Kind as Kind,
  TopologyService,
} from "../../../gen/lumetry/v1/topology_service_pb.js";
import { relayUrl, renderCommands } from "../../../server/enrollment-profiles/commands.ts";
import { forPowerShell, forShell } from "../../../server/enrollment-profiles/quoting.ts";
import { addProfile } from "../../support/agent.ts";
import { addCollector, makeProcess } from "../../support/collector.ts";
import { refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({
    publicUrl: "https://lumetry.example.com/",
    installerUrlLinux: "https://downloads.example.com/agent/install.sh",
    installerUrlWindows: "https://downloads.example.com/agent/install.ps1",
  });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const profiles = () => server.client(EnrollmentProfileService, owner.token);

test("the commands are those of the documents, with this deployment's places and the token", async (t) => {
  const { commands, token } = await addProfile(server, owner);
  t.is(
    commands.linux,
    `curl -fsSL \\
  https://downloads.example.com/agent/install.sh |
  sudo bash -s -- \\
  --backend https://lumetry.example.com \\
  --enroll-token ${token}`,
  );
  t.is(
    commands.windows,
    `$installer = Join-Path $env:TEMP "install-lumetry-agent.ps1"
Invoke-WebRequest -UseBasicParsing \`
  "https://downloads.example.com/agent/install.ps1" \`
  -OutFile $installer
powershell.exe -ExecutionPolicy Bypass -File $installer \`
  -BackendUrl "https://lumetry.example.com" \`
  -EnrollmentToken "${token}"`,
  );
  t.is(
    commands.program,
    `lumetry agent \\
  --server https://lumetry.example.com \\
  --enrollment-token ${token}`,
  );
});

test("collector-first commands carry the collector's address and the key to pin, and a cluster its id", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const key = "0b".repeat(32);
  const relay = {
    url: "https://collector.internal:4319",
    publicKeySha256: Buffer.from(key, "hex"),
  };
  await makeProcess(server, credential).beat({ relay });
  const { node } = await server
    .client(TopologyService, owner.token)
    .createTopologyNode({ kind: Kind.CLUSTER, displayName: "ANVMBWEBWX" });
  const clusterId = node?.nodeId ?? "";
  const install = { clusterId, collectorIds: [collectorId] };
  const { commands, token, profileId } = await addProfile(server, owner, { install });
  t.true(
    commands.linux.endsWith(`  --enroll-token ${token} \\
  --collector https://collector.internal:4319 \\
  --collector-fingerprint sha256:${key} \\
  --cluster_id=${clusterId}`),
  );
  t.true(
    commands.windows.endsWith(`  -CollectorUrl "https://collector.internal:4319" \`
  -CollectorFingerprint "sha256:${key}" \`
  -ClusterId "${clusterId}"`),
  );
  const { commands: again } = await profiles().renderInstallCommands({ profileId, install });
  t.is(again?.linux, commands.linux.replace(token, "lmtae_..."));
  t.false(JSON.stringify(again).includes(token));
});

test("a collector's word goes into a command as an address only", (t) => {
  t.is(relayUrl("http://collector.internal:4319"), "http://collector.internal:4319");
  t.is(relayUrl("https://[::1]:4319/path?x=$(id)"), "https://[::1]:4319");
  for (const bad of [
    "",
    "$(reboot)",
    "javascript:alert(1)",
    "https://$(reboot)/",
    "https://a;b/",
    "https://a'b/",
    "https://a`b`/",
    "ftp://collector.internal",
  ]) {
    t.is(relayUrl(bad), undefined, bad);
  }
  t.is(relayUrl("https://user:pass@collector.internal"), "https://collector.internal");
});

test("a collector that has reported no relay, or no usable one, is refused with what to do", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  const { profileId } = await addProfile(server, owner);
  const render = () =>
    profiles().renderInstallCommands({ profileId, install: { collectorIds: [collectorId] } });
  t.like(await refused(render()), { code: Code.FailedPrecondition });
  await makeProcess(server, credential).beat({ relay: { url: "https://$(reboot)/" } });
  t.regex((await refused(render())).message, /--relay-url/);
  const foreign = { install: { collectorIds: ["col.aaaaaaaaaa"] } };
  t.like(await refused(addProfile(server, owner, foreign)), { code: Code.NotFound });
  const nowhere = { install: { clusterId: "cls.aaaaaaaaaa" } };
  t.like(await refused(addProfile(server, owner, nowhere)), { code: Code.NotFound });
});

test("the way in cleartext, a certificate made here and a missing installer are told of", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner);
  await makeProcess(server, credential).beat({ relay: { url: "http://10.0.0.7:4319" } });
  const { commands } = await addProfile(server, owner, {
    install: { collectorIds: [collectorId] },
  });
  t.is(commands.relays[0]?.fingerprint, "");
  t.regex(commands.notes.join("\n"), /not encrypted/);
  t.regex(commands.notes.join("\n"), /certificate was made/);
  await using bare = await startTestServer();
  const { commands: bareCommands } = await addProfile(bare, await setUp(bare));
  t.is(bareCommands.linux, "");
  t.regex(bareCommands.program, /--server https:\/\/\S+:\d+/);
  t.regex(bareCommands.notes.join("\n"), /--installer-url-linux/);
});

test("whatever a value holds, a shell takes it for one argument", (t) => {
  for (const nasty of ["plain", "it's", "$(id)", "a b", "`id`", '"', "\\", "a;b", "*", "", "’"]) {
    const out = execFileSync("sh", ["-c", `printf %s ${forShell(nasty)}`]).toString();
    t.is(out, nasty);
  }
  t.is(forPowerShell("https://a.example:1/x"), '"https://a.example:1/x"');
  t.is(forPowerShell("a$b"), "'a$b'");
  t.is(forPowerShell("it's ’ ‘"), "'it''s ’’ ‘‘'");
});

test("the Linux command is one that bash reads as it is meant", (t) => {
  const { linux } = renderCommands({
    publicUrl: "https://lumetry.example.com",
    installerUrlLinux: "https://downloads.example.com/a b/install.sh?x=1&y=$HOME",
    installerUrlWindows: undefined,
    authority: "",
    token: "lmtae_x",
    clusterId: "cls.abcdefghij",
    relays: [],
  });
  const stubs = 'curl() { printf "[%s]" "$@"; }; sudo() { cat; printf "[%s]" "$@"; };';
  const out = execFileSync("bash", ["-c", `${stubs}\n${linux}`]).toString();
  t.is(
    out,
    "[-fsSL][https://downloads.example.com/a b/install.sh?x=1&y=$HOME][bash][-s][--][--backend][https://lumetry.example.com][--enroll-token][lmtae_x][--cluster_id=cls.abcdefghij]",
  );
});

test("an authority made here is written to a file first, which curl then trusts and nothing else", (t) => {
  const authority = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const own = {
    publicUrl: "https://here.example:8443",
    installerUrlLinux: "https://here.example:8443/packages/install.sh",
    installerUrlWindows: undefined,
    authority,
    token: "lmtae_x",
    clusterId: "",
    relays: [],
  };
  const run = (command: string) => {
    const folder = mkdtempSync(path.join(tmpdir(), "lumetry-command-"));
    const stubs =
      'curl() { printf "[%s]" "$@"; }; sudo() { cat; printf "[%s]" "$@"; }; lumetry() { printf "[%s]" "$@"; };';
    const out = execFileSync("sh", ["-c", `${stubs}\n${command}`], { cwd: folder }).toString();
    t.is(readFileSync(path.join(folder, "lumetry-ca.pem"), "utf8"), authority);
    rmSync(folder, { recursive: true });
    return out;
  };
  const { linux, program } = renderCommands(own);
  t.is(
    run(linux),
    "[-fsSL][--cacert][lumetry-ca.pem][https://here.example:8443/packages/install.sh][bash][-s][--][--backend][https://here.example:8443][--enroll-token][lmtae_x]",
  );
  t.regex(run(program), /\[--ca\]\[lumetry-ca\.pem\]/);
  // An installer from elsewhere is fetched as ever, and is told of the authority.
  const elsewhere = { ...own, installerUrlLinux: "https://downloads.example.com/install.sh" };
  t.is(
    run(renderCommands(elsewhere).linux),
    "[-fsSL][https://downloads.example.com/install.sh][bash][-s][--][--backend][https://here.example:8443][--enroll-token][lmtae_x][--ca-file][lumetry-ca.pem]",
  );
});

test("on Windows, too, an authority made here is trusted for what comes from here, and for nothing else", (t) => {
  const own = {
    publicUrl: "https://here.example:8443",
    installerUrlLinux: undefined,
    installerUrlWindows: "https://here.example:8443/packages/install.ps1",
    authority: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    token: "lmtae_x",
    clusterId: "",
    relays: [],
  };
  const pin = `$authority = Join-Path $env:TEMP "lumetry-ca.pem"
@'
-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
'@ | Set-Content -Encoding Ascii $authority
$installer = Join-Path $env:TEMP "install-lumetry-agent.ps1"
`;
  t.is(
    renderCommands(own).windows,
    `${pin}curl.exe -fsSL --ssl-no-revoke --cacert $authority \`
  "https://here.example:8443/packages/install.ps1" \`
  -o $installer
powershell.exe -ExecutionPolicy Bypass -File $installer \`
  -BackendUrl "https://here.example:8443" \`
  -EnrollmentToken "lmtae_x"`,
  );
  const elsewhere = { ...own, installerUrlWindows: "https://downloads.example.com/install.ps1" };
  t.is(
    renderCommands(elsewhere).windows,
    `${pin}Invoke-WebRequest -UseBasicParsing \`
  "https://downloads.example.com/install.ps1" \`
  -OutFile $installer
powershell.exe -ExecutionPolicy Bypass -File $installer \`
  -BackendUrl "https://here.example:8443" \`
  -EnrollmentToken "lmtae_x" \`
  -CaFile $authority`,
  );
});

test("labels of a profile may not be Lumetry's own, and its zone has to be there", async (t) => {
  t.like(await refused(addProfile(server, owner, { labels: { "lumetry.agent_id": "x" } })), {
    code: Code.InvalidArgument,
  });
  t.like(await refused(addProfile(server, { ...owner, zoneId: "zon.aaaaaaaaaa" })), {
    code: Code.NotFound,
  });
});
