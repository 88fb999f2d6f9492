/** The package for Windows under Wine: all of its setup but PowerShell, and its service. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { AgentService } from "../../gen/lumetry/v1/agent_service_pb.js";
import { makeSecret } from "../../lib/secret.ts";
import type { Assembled } from "../../packaging/assemble.ts";
import {
  FOLDER_RIGHTS,
  SERVICE_SID,
  withNamespaceAccess,
} from "../../packaging/windows/setup/rights.ts";
import { addProfile } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { setUp, startTestServer } from "../support/server.ts";
import type { Layer, Scenario } from "./scenario.ts";
import { assembleForWindows, WindowsHost } from "./windows-host.ts";
import type { Ending } from "./wine.ts";

/** What the service runs in place of the agent. */
const withService = (assembled: Assembled, code: string): Assembled => ({
  ...assembled,
  entries: assembled.entries.map((entry) =>
    entry.path === "app/service.mjs" ? { path: entry.path, data: Buffer.from(code) } : entry,
  ),
});

const mustEnd = (ending: Ending, code: number) =>
  assert.equal(ending.code, code, `${ending.output}${ending.errors}`);

export const windows: Layer = {
  name: "Windows, under Wine",
  groups: ["windows"],
  tools: { debootstrap: "debootstrap", "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64" },
  async open() {
    await using opened = new AsyncDisposableStack();
    const server = opened.use(await startTestServer({ heartbeatInterval: 1000 }));
    const owner = await setUp(server);
    const first = await assembleForWindows("1.0.0");
    const second = await assembleForWindows("1.1.0");
    const agents = server.client(AgentService, owner.token);
    const isConnected = (agentId: string, version: string) =>
      eventually(`${agentId} is connected with ${version}`, async () => {
        const { agent } = await agents.getAgent({ agentId });
        return agent?.version === version && Number(agent.lastSeenAge?.seconds ?? 99) < 5;
      });
    const route = { BackendUrl: server.url, Authority: server.ca };
    const idOn = async (host: WindowsHost): Promise<string> =>
      JSON.parse((await host.state("data/identity.json")) ?? "{}").edgeId;

    const scenarios: Scenario[] = [
      {
        name: "windows: setup installs a service that enrolls, and takes the token away; uninstalling leaves nothing",
        async run() {
          await using host = await WindowsHost.start();
          const { token } = await addProfile(server, owner);
          const ending = await host.install(first, {
            ...route,
            EnrollmentToken: token,
            Set: ["queue-limit=1GB,log-level=debug"],
          });
          mustEnd(ending, 0);
          const agentId = await idOn(host);
          assert.match(ending.output, new RegExp(`enrolled as ${agentId}; the token is removed`));
          await isConnected(agentId, "1.0.0");

          const service = await host.service();
          assert.equal(service?.state, "running");
          assert.equal(service.startType, 2, "starts with Windows");
          assert.equal(service.account, "NT SERVICE\\LumetryAgent");
          assert.match(
            service.command,
            /^"C:\\Program Files\\Lumetry\\Agent\\versions\\[^"]+" run$/,
          );
          assert.doesNotMatch(await host.registry(), /lmtae_|Environment/);
          assert.match(
            await host.registry("EventLog\\Application\\LumetryAgent"),
            /EventMessageFile/,
          );
          const settings = JSON.parse((await host.state("config/settings.json")) ?? "");
          assert.equal(settings.queueLimit, "1GB");
          assert.equal(settings.dataDir, "C:\\ProgramData\\Lumetry\\Agent\\data");
          assert.ok(existsSync(host.programs("uninstall.ps1")));
          assert.ok(!((await host.state("data/agent.log")) ?? "").includes("lmtae_"));
          assert.match(host.wine.events, /enrolled \(edgeId agt\./, "the event log is told");

          mustEnd(await host.uninstall(), 0);
          assert.equal(await host.service(), undefined);
          assert.match(
            await host.registry("EventLog\\Application\\LumetryAgent"),
            /Unable to find the specified registry key/,
          );
          mustEnd(await host.uninstall(), 0);
        },
      },
      {
        name: "windows: an upgrade takes the old version's place, keeps the identity and needs no token; a restart of Windows starts it",
        async run() {
          await using host = await WindowsHost.start();
          const { token } = await addProfile(server, owner);
          mustEnd(await host.install(first, { ...route, EnrollmentToken: token }), 0);
          const agentId = await idOn(host);
          const ending = await host.install(second, { Set: "log-level=warn" });
          mustEnd(ending, 0);
          assert.match(ending.output, /log-level is 'warn'/);
          assert.equal(await idOn(host), agentId);
          await isConnected(agentId, "1.1.0");
          assert.deepEqual(await readdir(host.programs("versions")), ["000000000002"]);

          await host.wine.reboot();
          await eventually("the service runs again", async () => {
            return (await host.service())?.state === "running";
          });

          // Stopped in order, it says so itself; killed, its status would stay what it was.
          mustEnd(await host.host("stop"), 0);
          assert.equal(JSON.parse((await host.state("data/status.json")) ?? "").state, "stopped");
          assert.equal((await host.service())?.win32ExitCode, 0);
        },
      },
      {
        name: "windows: a version that crashes is rolled back, with its settings; Windows learns its exit code",
        async run() {
          await using host = await WindowsHost.start();
          const { token } = await addProfile(server, owner);
          mustEnd(await host.install(first, { ...route, EnrollmentToken: token }), 0);
          const old = host.packageFolder;
          const crashing = withService(
            second,
            `console.error("out of luck"); setTimeout(() => process.exit(7), 500);`,
          );
          const ending = await host.install(crashing, { Set: "log-level=debug" });
          mustEnd(ending, 7);
          assert.match(ending.output, /out of luck/);
          assert.match(host.wine.events, /err:eventlog:ReportEventW L"7"/);
          assert.match(host.wine.events, /err:eventlog:ReportEventW L"out of luck/);
          const service = await host.service();
          assert.equal(service?.state, "running");
          assert.ok(service.command.includes(old), service.command);
          const settings = JSON.parse((await host.state("config/settings.json")) ?? "");
          assert.equal(settings.logLevel, undefined);
          await isConnected(await idOn(host), "1.0.0");
        },
      },
      {
        name: "windows: a service that crashes ends with its code as the service's, one that needs a person ends for good",
        async run() {
          await using host = await WindowsHost.start();
          const ended = async (code: number) => {
            await host.unpack(withService(first, `setTimeout(() => process.exit(${code}), 1500);`));
            mustEnd(await host.host("install"), 0);
            await host.host("start");
            return eventually("it has ended", async () => {
              const service = await host.service();
              return service?.state === "stopped" && service;
            });
          };
          const crashed = await ended(7);
          assert.deepEqual([crashed.win32ExitCode, crashed.serviceExitCode], [1066, 7]);
          assert.equal((await ended(78)).win32ExitCode, 0, "recovery does not start it again");
          assert.equal((await ended(0)).win32ExitCode, 1066, "nobody asked it to end");
        },
      },
      {
        name: "windows: kept state is a new installation's identity",
        async run() {
          await using host = await WindowsHost.start();
          const { token } = await addProfile(server, owner);
          mustEnd(await host.install(first, { ...route, EnrollmentToken: token }), 0);
          const agentId = await idOn(host);
          mustEnd(await host.uninstall(), 0);
          mustEnd(await host.install(first, {}), 0);
          assert.equal(await idOn(host), agentId);
          await isConnected(agentId, "1.0.0");
        },
      },
      {
        name: "windows: a refused token is told of, taken away, and not tried for ever",
        async run() {
          await using host = await WindowsHost.start();
          const refused = await host.install(first, {
            ...route,
            EnrollmentToken: makeSecret("lmtae"),
          });
          mustEnd(refused, 9);
          assert.match(refused.errors, /Lumetry refused it: .*token/);
          assert.doesNotMatch(await host.registry(), /lmtae_/);
          assert.equal((await host.service())?.state, "stopped");

          const { token } = await addProfile(server, owner);
          mustEnd(await host.install(first, { EnrollmentToken: token }), 0);

          // What the scheduled task does for a host that enrolled late.
          mustEnd(await host.tell(`LUMETRY_ENROLLMENT_TOKEN=${token}\n`, "environment"), 0);
          assert.match(await host.registry(), /lmtae_/);
          mustEnd(await host.finish(), 0);
          assert.doesNotMatch(await host.registry(), /lmtae_/);
          assert.equal((await host.service())?.state, "running");
        },
      },
      {
        name: "windows: rights on a WMI namespace and on folders are what setup asks for; a link is not followed",
        async run() {
          await using host = await WindowsHost.start();
          await host.unpack(first);
          const shown = await host.host("namespace", "show", "root\\cimv2");
          mustEnd(shown, 0);
          const granted = withNamespaceAccess(Buffer.from(shown.output.trim(), "hex"), SERVICE_SID);
          mustEnd(await host.tell(granted.toString("hex"), "namespace", "set", "root\\cimv2"), 0);
          mustEnd(await host.tell("00ff", "namespace", "set", "root\\cimv2"), 2);
          mustEnd(await host.host("namespace", "show", "root\\nothing"), 3);

          const protect = (folder: string) => host.host("protect", folder, FOLDER_RIGHTS.writable);
          mustEnd(await protect("C:\\kept"), 0);
          mustEnd(await protect("C:\\kept"), 0);
          mustEnd(await protect("C:\\no\\parent"), 1);
          await writeFile(host.wine.drive("a-file"), "");
          const refused = await protect("C:\\a-file");
          mustEnd(refused, 1);
          assert.match(refused.errors, /is a link or a file where a folder belongs/);
          mustEnd(await host.host("anything"), 2);
        },
      },
      {
        name: "windows: a mistake in the command changes nothing",
        async run() {
          await using host = await WindowsHost.start();
          const { token } = await addProfile(server, owner);
          const mistakes: [request: object, words: RegExp][] = [
            [{ EnrollmentToken: token }, /-BackendUrl is missing/],
            [route, /-EnrollmentToken is missing/],
            [
              { ...route, EnrollmentToken: token, Set: "queue-limit=much" },
              /queue-limit|queueLimit/,
            ],
          ];
          await host.unpack(first);
          for (const [request, words] of mistakes) {
            const ending = await host.install(first, { ...request });
            mustEnd(ending, 2);
            assert.match(ending.errors, words);
          }
          assert.equal(await host.service(), undefined);
        },
      },
    ];
    const stack = opened.move();
    return { scenarios, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
};
