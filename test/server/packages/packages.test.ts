/** Packages that a server hands to hosts: checked before they are offered, and with installers that know them. */
import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { readSettings } from "../../../lib/settings.ts";
import { fillBootstrap } from "../../../server/packages/bootstrap.ts";
import { serverSettings } from "../../../server/settings.ts";
import { addProfile } from "../../support/agent.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";

const INSTALLER = "packaging/linux/install.sh";
const ARCHIVE = "lumetry-agent-9.9.9-linux-x64.tar.gz";
const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");

/** What curl gets, as a host would. */
async function curl({ url, caFile }: TestServer, path: string, ...more: string[]): Promise<string> {
  const flags = ["-sS", "--cacert", caFile, "--path-as-is", ...more];
  return (await promisify(execFile)("curl", [...flags, `${url}${path}`])).stdout;
}

const statusOf = (server: TestServer, path: string) =>
  curl(server, path, "-o", "/dev/null", "-w", "%{http_code}");

/** A release with one archive, which need not be one to be served. */
async function makeRelease(t: ExecutionContext, content = "not really an archive") {
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-packages-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const write = async (text: string) => {
    const installer = await readFile(INSTALLER, "utf8");
    const windows = await readFile("packaging/windows/install.ps1", "utf8");
    const files = { [ARCHIVE]: text, "install.sh": installer, "install.ps1": windows };
    let sums = "";
    for (const [name, data] of Object.entries(files)) {
      await writeFile(path.join(directory, name), data);
      sums += `${sha256(data)}  ${name}\n`;
    }
    await writeFile(path.join(directory, "SHA256SUMS"), sums);
    return sums;
  };
  return { directory, write, sums: await write(content) };
}

test("hosts get packages and an installer that knows their checksums, the address and the authority", async (t) => {
  const { directory } = await makeRelease(t);
  await using server = await startTestServer({ packagesDir: directory });
  const owner = await setUp(server);
  const { commands } = await addProfile(server, owner);
  const [, url = ""] = /(https:\S+\/packages\/install\.sh)/.exec(commands.linux) ?? [];
  t.regex(commands.linux, /^cat > lumetry-ca\.pem <<'PEM'\n-----BEGIN CERTIFICATE-----\n/);
  t.regex(commands.notes.join("\n"), /commands carry its authority/);

  // Just as the command would fetch it, but for the name of this machine.
  const script = await curl(server, new URL(url).pathname);
  t.true(script.includes(`CHECKSUMS='${sha256("not really an archive")}  ${ARCHIVE}\n'`));
  t.true(script.includes(`BASE_URL='${url.replace("/install.sh", "")}'`));
  t.true(script.includes(`CA='${server.ca.trim()}'`));
  t.is(await curl(server, `/packages/${ARCHIVE}`), "not really an archive");
  t.regex(await curl(server, `/packages/${ARCHIVE}`, "-I"), /content-length: 21/i);
  for (const wrong of ["/packages/nothing", "/packages/../package.json", "/packages/%2e%2e/x"]) {
    t.is(await statusOf(server, wrong), "404", wrong);
  }
});

test("another release in the same place is taken once it is whole; until then hosts are told to wait", async (t) => {
  const { directory, write } = await makeRelease(t);
  await using server = await startTestServer({ packagesDir: directory });
  await writeFile(path.join(directory, "SHA256SUMS"), `${"0".repeat(64)}  ${ARCHIVE}\n`);
  const early = await curl(server, `/packages/${ARCHIVE}`, "-i");
  t.regex(early, /^HTTP\/2 503/);
  t.regex(early, /retry-after: 10/);
  await write("the next one");
  t.is(await curl(server, `/packages/${ARCHIVE}`), "the next one");
  t.true((await curl(server, "/packages/install.sh")).includes(sha256("the next one")));
});

test("an installer that was changed where it lies is served as it was checked, and an archive never longer", async (t) => {
  const { directory } = await makeRelease(t);
  await using server = await startTestServer({ packagesDir: directory });
  for (const name of [ARCHIVE, "install.sh", "install.ps1"]) {
    await appendFile(path.join(directory, name), "\nrm -rf /\n");
  }
  t.is(await curl(server, `/packages/${ARCHIVE}`), "not really an archive");
  for (const name of ["install.sh", "install.ps1"]) {
    const script = await curl(server, `/packages/${name}`);
    t.true(script.includes(sha256("not really an archive")), name);
    t.false(script.includes("rm -rf /\n"), name);
  }
});

test("a server does not start with packages that were changed, or not signed with its key", async (t) => {
  const { directory, sums } = await makeRelease(t);
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const packagesKey = path.join(directory, "key.pub");
  await writeFile(packagesKey, publicKey.export({ type: "spki", format: "pem" }));
  const start = async () => {
    await using _server = await startTestServer({ packagesDir: directory, packagesKey });
  };
  await t.throwsAsync(start, { message: /is not signed/ });
  const signature = path.join(directory, "SHA256SUMS.sig");
  await writeFile(signature, sign(null, Buffer.from(`${sums} `), privateKey));
  await t.throwsAsync(start, { message: /was not signed with the key/ });
  await writeFile(signature, sign(null, Buffer.from(sums), privateKey));
  await t.notThrowsAsync(start);
  await writeFile(path.join(directory, ARCHIVE), "tampered");
  await t.throwsAsync(start, { message: /is not what SHA256SUMS says/ });
});

test("values go into an installer as quoted lines, again and again, and nothing else changes", (t) => {
  const script = "A=1\nBASE_URL=''\nCA=''\nrest '$BASE_URL'\n";
  const once = fillBootstrap("install.sh", script, { BASE_URL: "https://a.example/x", CA: "1\n2" });
  t.is(once, "A=1\nBASE_URL='https://a.example/x'\nCA='1\n2'\nrest '$BASE_URL'\n");
  t.is(fillBootstrap("install.sh", once, { BASE_URL: "", CA: "" }), script);
  const windows = fillBootstrap("install.ps1", "$CA = ''\r\nrest\r\n", { CA: "one\ntwo" });
  t.is(windows, "$CA = 'one\ntwo'\r\nrest\r\n");
  t.throws(() => fillBootstrap("install.sh", script, { CA: "it's" }), { message: /quotes/ });
  t.throws(() => fillBootstrap("install.sh", "", { CA: "" }), { message: /no line for CA/ });
});

test("who has to have signed what runs on Windows is a setting of the deployment", async (t) => {
  for (const packagesPublisher of ["", "O'Neill", "Müller GmbH"]) {
    t.throws(() => readSettings(serverSettings, { flags: { packagesPublisher } }), {
      message: /^--packages-publisher: .* is no name that installers can hold/,
    });
  }
  const { directory } = await makeRelease(t);
  await using server = await startTestServer({
    packagesDir: directory,
    packagesPublisher: "Example Corp.",
  });
  const script = await curl(server, "/packages/install.ps1");
  t.true(script.includes("$SIGNER = 'Example Corp.'"));
  t.true(script.includes(`$CA = '${server.ca.trim()}'`));
  t.regex(script, /^\$BASE_URL = 'https:\/\/[^']+\/packages'$/m);
  const { commands } = await addProfile(server, await setUp(server));
  t.regex(commands.windows, /curl\.exe .*--cacert \$authority/);
});
