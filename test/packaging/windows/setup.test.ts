import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type ExecutionContext } from "ava";
import { makeSecret } from "../../../lib/secret.ts";
import { makeEvents } from "../../../packaging/windows/events.ts";
import { EXIT, SetupError } from "../../../packaging/windows/setup/ending.ts";
import { becomesWell, isConfirmed } from "../../../packaging/windows/setup/health.ts";
import {
  forgetOldIdentity,
  restoreIdentity,
  setIdentityAside,
} from "../../../packaging/windows/setup/identity.ts";
import { grantIis, revokeIis } from "../../../packaging/windows/setup/iis.ts";
import { packageOf } from "../../../packaging/windows/setup/places.ts";
import { readRequest } from "../../../packaging/windows/setup/request.ts";
import {
  FOLDER_RIGHTS,
  SERVICE_SID,
  serviceSid,
  withNamespaceAccess,
  withoutNamespaceAccess,
} from "../../../packaging/windows/setup/rights.ts";

const read = (given: object) => readRequest(JSON.stringify(given));

/** A security descriptor of a WMI namespace, as Windows' own look: a parent's rights are inherited. */
const NAMESPACE = Buffer.from(
  "01000480840000009400000000000000140000000200700005000000" +
    "000214003f00060001010000000000051300000000121800" +
    "3f00060001020000000000052000000020020000001214001300000001010000000000050b00000000121400" +
    "130000000101000000000005130000000012140013000000010100000000000514000000" +
    "0102000000000005200000002002000001020000000000052000000020020000",
  "hex",
);

test("the parameters of install.ps1 become settings of the agent, and the token stays apart", (t) => {
  const token = makeSecret("lmtae");
  const request = read({
    BackendUrl: "https://lumetry.example.com",
    EnrollmentToken: token,
    CollectorUrl: "http://collector.internal:4319",
    ClusterId: "cls.anvmbwebwx",
    AllowCleartext: false,
    ReEnroll: false,
    Set: ["queue-limit=1GB,log-level=debug", "collector-fingerprint=a,b"],
    WaitSeconds: 10,
  });
  t.deepEqual(request.settings, [
    ...["--server", "https://lumetry.example.com", "--collector", "http://collector.internal:4319"],
    ...["--cluster-id", "cls.anvmbwebwx", "--remove", "cluster"],
    ...["--queue-limit", "1GB", "--log-level", "debug", "--collector-fingerprint", "a,b"],
  ]);
  t.is(request.token, token);
  t.false(JSON.stringify(request.settings).includes(token));
  t.is(request.waitSeconds, 10);
  t.true(request.hasRoute);
});

test("a mistake in a parameter is told by the parameter's name, without the secret", (t) => {
  const mistakes: [given: object, words: RegExp][] = [
    [{ Cluster: "a", ClusterId: "cls.b" }, /^-Cluster and -ClusterId .* give one of them$/],
    [{ EnrollmentToken: "lmtae_short" }, /^-EnrollmentToken is no token(?!.*short)/],
    [{ EnrollmentToken: makeSecret("lmtce") }, /^-EnrollmentToken is no token/],
    [{ Set: "queue-limit" }, /^-Set takes NAME=VALUE/],
    [{ WaitSeconds: -1 }, /^-WaitSeconds/],
    [{ Colector: "x" }, /^there is no parameter -Colector$/],
    [{ BackendUrl: 5 }, /^-BackendUrl takes a text$/],
  ];
  for (const [given, message] of mistakes) {
    const error = t.throws(() => read(given), { instanceOf: SetupError, message });
    t.is(error?.code, EXIT.usage);
  }
  t.throws(() => readRequest("not JSON"), { message: /one JSON object/ });
  t.notThrows(
    () => readRequest('\uFEFF{"BackendUrl":"https://a.example"}\r\n'),
    "PowerShell's mark",
  );
});

test("a service's identifier is made as Windows makes it", (t) => {
  t.is(
    serviceSid("TrustedInstaller"),
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
  );
  t.is(serviceSid("lumetryagent"), SERVICE_SID, "names are the same in any case");
});

test("the service may change its data, only read its settings, and nobody else sees either", (t) => {
  const entries = (sddl: string) => [...sddl.matchAll(/\(([^)]*)\)/g)].map(([, entry]) => entry);
  const everybody = ["A;OICI;FA;;;SY", "A;OICI;FA;;;BA"];
  t.deepEqual(entries(FOLDER_RIGHTS.writable), [...everybody, `A;OICI;0x1301bf;;;${SERVICE_SID}`]);
  t.deepEqual(entries(FOLDER_RIGHTS.readable), [...everybody, `A;OICI;0x1200a9;;;${SERVICE_SID}`]);
  for (const sddl of Object.values(FOLDER_RIGHTS)) t.regex(sddl, /^O:BAD:P\(/, "inherits nothing");
});

test("the right on a namespace of WMI is added once, among the own ones, and taken away without a trace", (t) => {
  const granted = withNamespaceAccess(NAMESPACE, SERVICE_SID);
  const count = (descriptor: Buffer) => descriptor.readUInt16LE(descriptor.readUInt32LE(16) + 4);
  t.is(count(granted), count(NAMESPACE) + 1);
  t.deepEqual(withNamespaceAccess(granted, SERVICE_SID), granted, "again changes nothing");
  t.is(count(withoutNamespaceAccess(granted, SERVICE_SID)), count(NAMESPACE));
  t.deepEqual(
    withoutNamespaceAccess(granted, SERVICE_SID),
    withoutNamespaceAccess(NAMESPACE, SERVICE_SID),
  );

  // Allowed, inherited by namespaces below, enable (1) and methods (2), for the service alone: before what is inherited.
  const sid = Buffer.from("010600000000000550000000", "hex").subarray(0, 8);
  const at = granted.indexOf(Buffer.concat([Buffer.from("0002280003000000", "hex"), sid]));
  t.true(at > 0);
  t.true(at < granted.indexOf(Buffer.from("0012", "hex"), granted.readUInt32LE(16) + 8));
  t.throws(() => withNamespaceAccess(NAMESPACE.subarray(0, 60), SERVICE_SID), {
    instanceOf: RangeError,
  });
});

interface Fakes {
  answers: Record<string, { code: number; output: string }>;
  descriptor?: Buffer;
}

/** Records what Windows' own tools are asked: they cannot be had here. */
function fakeWindows({ answers, descriptor = NAMESPACE }: Fakes) {
  const asked: string[] = [];
  const said: string[] = [];
  const written: Buffer[] = [];
  const parts = {
    system: "C:\\Windows\\System32",
    say: (line: string) => said.push(line),
    run: async (file: string, words: string[]) => {
      const line = [file.replace("C:\\Windows\\System32\\", ""), ...words].join(" ");
      asked.push(line);
      const known = Object.entries(answers).find(([start]) => line.includes(start));
      return { errors: "", ...(known?.[1] ?? { code: 0, output: "" }) };
    },
    service: {
      readNamespace: async (name: string) => {
        asked.push(`read ${name}`);
        return descriptor;
      },
      writeNamespace: async (name: string, bytes: Buffer) => {
        asked.push(`write ${name}`);
        written.push(bytes);
        return "";
      },
    },
  };
  return { asked, said, written, parts };
}

const FEATURE = (state: string) => ({
  code: 0,
  output: `Feature Information:\r\n\r\nFeature Name : IIS-ManagementScriptingTools\r\nState : ${state}\r\n`,
});

test("a host without IIS is left as it is", async (t) => {
  const { asked, parts } = fakeWindows({ answers: { "reg.exe": { code: 1, output: "" } } });
  await grantIis(parts);
  await revokeIis(parts);
  t.deepEqual(
    new Set(asked),
    new Set(["reg.exe query HKLM\\SOFTWARE\\Microsoft\\InetStp /v MajorVersion"]),
  );
});

test("with IIS, its tools are added if they are missing, and the service may use its namespace", async (t) => {
  const missing = fakeWindows({ answers: { "/Get-FeatureInfo": FEATURE("Disabled") } });
  await grantIis(missing.parts);
  t.deepEqual(missing.asked.slice(1), [
    "dism.exe /English /Online /Get-FeatureInfo /FeatureName:IIS-ManagementScriptingTools",
    "dism.exe /English /Online /Enable-Feature /FeatureName:IIS-ManagementScriptingTools /All /NoRestart /Quiet",
    "read root\\WebAdministration",
    "write root\\WebAdministration",
  ]);
  t.deepEqual(missing.written, [withNamespaceAccess(NAMESPACE, SERVICE_SID)]);

  const granted = withNamespaceAccess(NAMESPACE, SERVICE_SID);
  const there = fakeWindows({
    answers: { "/Get-FeatureInfo": FEATURE("Enabled") },
    descriptor: granted,
  });
  await grantIis(there.parts);
  t.false(
    there.asked.some((line) => /Enable-Feature|write/.test(line)),
    "nothing to do",
  );
  await revokeIis(there.parts);
  t.deepEqual(there.written, [withoutNamespaceAccess(granted, SERVICE_SID)]);
});

test("what fails about IIS is told, and hinders the installation of nothing else", async (t) => {
  const { said, parts } = fakeWindows({
    answers: {
      "/Get-FeatureInfo": FEATURE("Disabled"),
      "/Enable-Feature": { code: 5, output: "Error: 5\r\nAccess is denied." },
    },
  });
  await grantIis(parts);
  t.regex(said.at(-1) ?? "", /^warning: the states of IIS sites .* 5: Access is denied\./);
});

test("only a service of ours is taken for an earlier installation", (t) => {
  const folder = "C:\\Program Files\\Lumetry\\Agent\\versions\\1\\x";
  t.is(packageOf(`"${folder}\\bin\\lumetry-svc.exe" run`), folder);
  t.is(packageOf('"C:\\Windows\\svchost.exe" -k netsvcs'), undefined);
  t.is(packageOf(""), undefined);
});

async function dataOf(t: ExecutionContext) {
  const folder = await mkdtemp(path.join(tmpdir(), "lumetry-setup-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return {
    folder,
    put: (name: string, content: object) =>
      writeFile(path.join(folder, name), JSON.stringify(content)),
    identity: () => readFile(path.join(folder, "identity.json"), "utf8").catch(() => undefined),
  };
}

test("an agent that has ended for good is well only if Lumetry refused this very start", async (t) => {
  const { folder, put } = await dataOf(t);
  const ended = {
    show: async () => ({ state: "stopped", win32ExitCode: 0, serviceExitCode: 0, command: "" }),
  };
  const since = Date.parse("2026-01-02T03:04:05Z");
  const isWell = () => becomesWell(ended, folder, { version: "2.0.0", since });
  t.false(await isWell(), "a mistake in the settings, and no status");
  const refused = { state: "refused", version: "2.0.0", startedAt: "2026-01-02T03:04:06Z" };
  for (const [status, expected] of [
    [refused, true],
    [{ ...refused, state: "stopped" }, false],
    [{ ...refused, version: "1.0.0" }, false],
    [{ ...refused, startedAt: "2026-01-02T03:04:04Z" }, false],
  ] as const) {
    await put("status.json", status);
    t.is(await isWell(), expected, JSON.stringify(status));
  }
});

test("the identity from before is kept until another one has worked, and comes back if it does not", async (t) => {
  const { folder, put, identity } = await dataOf(t);
  await put("identity.json", { edgeId: "agt.old", credential: "x" });
  await setIdentityAside(folder);
  t.is(await identity(), undefined);
  await put("identity.json", { enrollmentNonce: "n" });
  await setIdentityAside(folder); // a second try, after a first one that came to nothing
  t.true(await restoreIdentity(folder));
  t.regex((await identity()) ?? "", /agt\.old/);
  t.false(await restoreIdentity(folder), "there is only one");

  await setIdentityAside(folder);
  await put("identity.json", { edgeId: "agt.new", credential: "y" });
  t.true(await isConfirmed(folder));
  t.false(await restoreIdentity(folder), "the new one has worked");
  await forgetOldIdentity(folder);
  await rm(path.join(folder, "identity.json"));
  t.false(await restoreIdentity(folder));
});

test("messages of the agent's log reach the event log, as sentences, and not without end", (t) => {
  const told: string[] = [];
  let now = 0;
  const events = makeEvents(
    (line) => told.push(line),
    () => now,
  );
  const line = (fields: object) =>
    `${JSON.stringify({ time: "now", process: "agent", ...fields })}\n`;
  events.take(line({ level: 30, edgeId: "agt.a", msg: "enrolled" }));
  events.take(line({ level: 40, reason: "no\nroute", waitMs: 5, msg: "cannot enroll yet" }));
  events.take(
    line({ level: 50, err: { message: "disk full" }, msg: "the queue cannot be written" }),
  );
  events.take(`${line({ level: 20, msg: "noise" })}Error: a crash\n    at x\n{broken\n`);
  t.deepEqual(told, [
    "I enrolled (edgeId agt.a)\n",
    "W cannot enroll yet: no route (waitMs 5)\n",
    "E the queue cannot be written: disk full\n",
  ]);
  for (let count = 0; count < 200; count += 1) events.take(line({ level: 40, msg: "again" }));
  t.is(told.length, 100);
  now = 3_600_000;
  events.take(line({ level: 40, msg: "later" }));
  t.deepEqual(told.slice(100), [
    "W 103 messages more in the last hour are in agent.log only\n",
    "W later\n",
  ]);
});
