import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { arch, hostname, release, tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { parseMachineGuid, readHostFacts } from "../../../edge/host-metrics/host-facts.ts";

const id = "0123456789abcdef0123456789abcdef";
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** The fingerprint of a host whose two machine id files hold these texts. */
async function fingerprintOf(t: ExecutionContext, ...texts: (string | undefined)[]) {
  const directory = await mkdtemp(join(tmpdir(), "lumetry-facts-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const machineIds = texts.map((_, index) => join(directory, `id${index}`));
  for (const [index, text] of texts.entries())
    if (text !== undefined) await writeFile(machineIds[index] ?? "", text);
  const facts = await readHostFacts({ machineIds, vendor: join(directory, "vendor") });
  return facts.machineFingerprint;
}

test("the facts of this host are those that the system gives, and the same when asked again", async (t) => {
  const { machineFingerprint, ...facts } = await readHostFacts();
  t.deepEqual(facts, {
    hostname: hostname(),
    architecture: arch(),
    kernelVersion: release(),
    operatingSystem: "linux",
  });
  t.regex(machineFingerprint, /^[0-9a-f]{64}$/);
  t.is((await readHostFacts()).machineFingerprint, machineFingerprint);
});

test("the machine id leaves the host only as a hash", async (t) => {
  t.is(await fingerprintOf(t, `${id}\n`), sha256(`lumetry${id}`));
});

test("the second file counts when the first is missing, empty or not yet written", async (t) => {
  for (const first of [undefined, "", "uninitialized\n", "0".repeat(32)])
    t.is(await fingerprintOf(t, first, id), sha256(`lumetry${id}`));
});

test("a container without a machine id has a fingerprint that follows its host name", async (t) => {
  const expected = sha256(`lumetryhost\n${hostname()}\n${arch()}\n`);
  t.is(await fingerprintOf(t, undefined), expected);
  t.is(await fingerprintOf(t, "uninitialized"), expected);
});

test("Windows names its installation in the registry; anything else than such a name is none", (t) => {
  // Synthetic: what reg.exe is documented to print, not recorded from a Windows.
  const answer = (value: string) =>
    `\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography\r\n    MachineGuid    REG_SZ    ${value}\r\n\r\n`;
  const guid = "0F8FAD5B-D9CB-469F-A165-70867728950E";
  t.is(parseMachineGuid(answer(guid)), guid.toLowerCase());
  for (const junk of ["", "0F8FAD5B", `${guid}-more`, "ERROR: Access is denied."]) {
    t.is(parseMachineGuid(answer(junk)), undefined);
  }
  t.is(parseMachineGuid(""), undefined);
});

test("on Windows without reg.exe the fingerprint follows the host name", async (t) => {
  const facts = await readHostFacts({ machineIds: [], vendor: "/nowhere" }, "win32");
  t.is(facts.operatingSystem, "windows");
  t.is(facts.machineFingerprint, sha256(`lumetryhost\n${hostname()}\n${arch()}\n`));
});
