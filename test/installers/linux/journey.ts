import assert from "node:assert/strict";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { TopologyNode_Kind, TopologyService } from "../../../gen/lumetry/v1/topology_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { Machine } from "../machine.ts";
import { release, withProgram } from "../releases.ts";
import type { Scenario } from "../scenario.ts";
import { install, type Stage, status, traces } from "./stage.ts";

/** The life of one host, in its order. */
export function journeyScenarios(stage: Stage, until: AsyncDisposableStack): Scenario[] {
  let machine: Machine;
  let token = "";
  let agentId = "";
  const { server, owner } = stage;
  const active = () => machine.must("readlink /opt/lumetry-agent/current");
  const pid = () => machine.must("systemctl show --property MainPID --value lumetry-agent");

  return [
    {
      name: "the shown command, as copied, installs an agent that is connected",
      async run() {
        machine = until.use(await Machine.boot());
        const { commands, token: given } = await stage.profile();
        token = given;
        const { code, errors } = await machine.run(commands.linux);
        assert.equal(code, 0, errors);
        assert.match(errors, /ok +server .*it answers, over TLS/);
        [, agentId = ""] = /connected as (agt\.\w+)/.exec(errors) ?? [];
        const agents = server.client(AgentService, owner.token);
        const { agent } = await agents.getAgent({ agentId });
        assert.ok(agent);
        assert.equal((await status(machine)).version, "1.0.0");
      },
    },
    {
      name: "the service starts at boot, has a user of its own, and a sandbox of 2.0 or better",
      async run() {
        assert.equal(await machine.must("systemctl is-enabled lumetry-agent"), "enabled");
        await machine.must("systemd-analyze security --threshold=20 lumetry-agent");
        const process = await machine.must(`ps -o user= -p ${await pid()}`);
        assert.match(process, /^lumetry/);
        const capabilities = await machine.must(`grep CapEff /proc/${await pid()}/status`);
        assert.match(capabilities, /0000000000000000$/);
        const modes = await machine.must(
          "stat -c '%a %U %n' /var/lib/lumetry-agent /etc/lumetry-agent/settings.json /opt/lumetry-agent",
        );
        assert.equal(
          modes,
          "700 lumetry-agent /var/lib/lumetry-agent\n640 root /etc/lumetry-agent/settings.json\n755 root /opt/lumetry-agent",
        );
      },
    },
    {
      name: "once enrolled, the token is in no file, environment, command line or log",
      async run() {
        // In a file, so that those who look for it do not show it themselves; sudo writes down what it runs.
        await machine.put("/mnt/secret", `${token.slice("lmtae_".length)}\n`);
        const found = await machine.run(
          `grep -rlf /mnt/secret /etc /opt/lumetry-agent/current/bin/lumetry-agent /var/lib /run /tmp /root 2>/dev/null; grep -lf /mnt/secret /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; journalctl --no-pager | grep -v COMMAND= | grep -cf /mnt/secret`,
        );
        assert.equal(found.output.trim(), "0");
      },
    },
    {
      name: "what a sandboxed agent measures includes this host's file systems",
      async run() {
        await eventually("points of the file system come in", async () => {
          const rows = await server.sql(
            "select 1 from series where metric like 'system.filesystem%' limit 1",
          );
          return rows.length > 0;
        });
      },
    },
    {
      name: "run again, it changes nothing and leaves the process alone",
      async run() {
        const before = await pid();
        const { code, errors } = await install(stage, machine, "");
        assert.equal(code, 0, errors);
        assert.match(errors, /installed already, and nothing was to be changed/);
        assert.equal(await pid(), before);
      },
    },
    {
      name: "run again with another setting, it applies that one, says so, and keeps the rest",
      async run() {
        const { code, errors } = await install(stage, machine, "--set queue-limit=100MB");
        assert.equal(code, 0, errors);
        assert.match(errors, /settings: queue-limit is '100MB'/);
        const { edgeId, queue, state } = await status(machine);
        assert.deepEqual([edgeId, queue.limitBytes, state], [agentId, 100_000_000, "connected"]);
        const bad = await install(stage, machine, "--set queue-limit=tiny");
        assert.equal(bad.code, 2);
        assert.match(bad.errors, /--queue-limit: 'tiny'/);
        const noAuthority = await install(stage, machine, "--ca-file /etc/passwd");
        assert.equal(noAuthority.code, 2, noAuthority.errors);
        assert.match(noAuthority.errors, /holds no certificate in PEM form/);
        assert.equal((await status(machine)).queue.limitBytes, 100_000_000);
      },
    },
    {
      name: "kill -9 and a reboot are survived",
      async run() {
        const before = await pid();
        await machine.must("systemctl kill --signal=KILL lumetry-agent");
        await eventually("another process runs", async () => {
          const now = await pid();
          return now !== "0" && now !== before && (await status(machine)).state === "connected";
        });
        await machine.powerOff();
        await machine.start();
        await eventually("it is connected after the boot", async () => {
          return (await status(machine)).state === "connected";
        });
      },
    },
    {
      name: "a newer release takes its place, and the one before it stays at hand",
      async run() {
        await release(stage.packages, "1.0.1", { components: ["agent", "collector"] });
        const { code, errors } = await install(stage, machine, "");
        assert.equal(code, 0, errors);
        assert.match(errors, /agent 1\.0\.1 took the place of 1\.0\.0/);
        const { version, edgeId, state } = await status(machine);
        assert.deepEqual([version, edgeId, state], ["1.0.1", agentId, "connected"]);
        assert.equal(await machine.must("ls /opt/lumetry-agent/versions"), "1.0.0\n1.0.1");
      },
    },
    {
      name: "a release that dies is rolled back, with its settings; one that does not even start changes nothing",
      async run() {
        const dies = (exit: number) =>
          withProgram(
            (code) => `if (process.argv[2] === "--settings-file") process.exit(${exit});\n${code}`,
          );
        // The last is another build of the version that runs; 78 is also how a refused agent ends.
        for (const [version, exit] of [
          ["1.0.2", 1],
          ["1.0.2", 78],
          ["1.0.1", 2],
        ] as const) {
          await release(stage.packages, version, { change: dies(exit) });
          const { code, errors } = await install(stage, machine, "--set queue-limit=200MB");
          assert.equal(code, 7, errors);
          assert.match(errors, /back to agent 1\.0\.1/);
          assert.equal(await active(), "versions/1.0.1");
          await eventually("the one before it is connected", async () => {
            const { state, version, queue } = await status(machine);
            return state === "connected" && version === "1.0.1" && queue.limitBytes === 100_000_000;
          });
          assert.equal(await machine.must("ls /opt/lumetry-agent/versions"), "1.0.0\n1.0.1");
        }

        const before = await pid();
        await release(stage.packages, "1.0.3", {
          change: withProgram(() => "throw new Error('ill')"),
        });
        const ill = await install(stage, machine, "");
        assert.equal(ill.code, 6, ill.errors);
        assert.match(ill.errors, /does not run on this host; nothing was changed/);
        assert.equal(await pid(), before);
      },
    },
    {
      name: "an upgrade is not rolled back because Lumetry is away",
      async run() {
        await release(stage.packages, "1.0.4", { components: ["agent", "collector"] });
        const flags = "--backend https://localhost:1 --wait 3";
        const { code, errors } = await install(stage, machine, flags);
        assert.equal(code, 0, errors);
        assert.match(errors, /has not reached Lumetry yet, keeps what it measures/);
        assert.equal(await active(), "versions/1.0.4");
        const back = await install(
          stage,
          machine,
          `--backend https://localhost:${new URL(server.url).port}`,
        );
        assert.match(back.errors, /connected as/);
      },
    },
    {
      name: "run again after an upgrade that was broken off, it starts the version that was put in place",
      async run() {
        const { version } = await status(machine);
        const older = await machine.must(
          `ls /opt/lumetry-agent/versions | grep -vxF ${version} | tail -n1`,
        );
        const point = (to: string) =>
          machine.must(`ln -sfn versions/${to} /opt/lumetry-agent/current`);
        await point(older);
        await machine.must("systemctl restart lumetry-agent");
        await eventually("the older one runs", async () => {
          return (await status(machine)).version === older;
        });
        await point(version);
        const { code, errors } = await install(stage, machine, "");
        assert.equal(code, 0, errors);
        assert.match(errors, new RegExp(`agent ${version} runs as the service`));
        assert.equal((await status(machine)).version, version);
      },
    },
    {
      name: "removed with its state kept, it comes back without a token as who it was",
      async run() {
        const removed = await machine.run(
          "/opt/lumetry-agent/current/install.sh --uninstall --keep-state",
        );
        assert.equal(removed.code, 0, removed.errors);
        assert.equal((await machine.run("systemctl cat lumetry-agent")).code, 1);
        const { code, errors } = await install(stage, machine, "");
        assert.equal(code, 0, errors);
        assert.match(errors, new RegExp(`connected as ${agentId}`));
      },
    },
    {
      name: "--re-enroll gives the host another identity, and leaves it its own when the token is refused",
      async run() {
        const wrong = `lmtae_${"A".repeat(43)}`;
        const refused = await install(stage, machine, `--re-enroll --enroll-token ${wrong}`);
        assert.equal(refused.code, 9, refused.errors);
        assert.match(refused.errors, /goes on as who it was before/);
        await eventually("it is connected as who it was", async () => {
          const { edgeId, state } = await status(machine);
          return edgeId === agentId && state === "connected";
        });
        const { token: another } = await stage.profile();
        const { code, errors } = await install(
          stage,
          machine,
          `--re-enroll --enroll-token=${another}`,
        );
        assert.equal(code, 0, errors);
        const { edgeId, state } = await status(machine);
        assert.equal(state, "connected");
        assert.notEqual(edgeId, agentId);
        assert.equal(
          await machine.must("ls /var/lib/lumetry-agent | grep -E 'identity|token'"),
          "identity.json",
        );
      },
    },
    {
      name: "a cluster is asked for in both forms, and a host that cannot be placed is installed all the same",
      async run() {
        const topology = server.client(TopologyService, owner.token);
        const { node } = await topology.createTopologyNode({
          kind: TopologyNode_Kind.CLUSTER,
          displayName: "ANVMBWEBWX",
        });
        const { token: reusable } = await stage.profile();
        for (const [wish, words] of [
          ["--cluster=anvmbwebwx", /placement: cluster ANVMBWEBWX/],
          [`--cluster_id=${node?.nodeId}`, /placement: cluster ANVMBWEBWX/],
          ["--cluster nowhere", /placement: unassigned: "nowhere" is not there/],
        ] as const) {
          const flags = `--re-enroll --enroll-token ${reusable} ${wish}`;
          const { code, errors } = await install(stage, machine, flags);
          assert.equal(code, 0, errors);
          assert.match(errors, words);
        }
      },
    },
    {
      name: "removed for good, it leaves nothing behind, and doing so again is no error",
      async run() {
        await machine.must("mount -t tmpfs none /var/lib/lumetry-agent");
        await machine.must("touch /var/lib/lumetry-agent/file");
        const mounted = await install(stage, machine, "--uninstall");
        assert.equal(mounted.code, 0, mounted.errors);
        assert.match(mounted.errors, /\/var\/lib\/lumetry-agent stays/);
        assert.equal(
          await machine.must("ls /var/lib/lumetry-agent; ls -d /etc/lumetry* || true"),
          "",
        );
        await machine.must("umount /var/lib/lumetry-agent");
        for (const _ of ["once", "twice"]) {
          const { code, errors } = await install(stage, machine, "--uninstall");
          assert.equal(code, 0, errors);
          assert.equal(await traces(machine), "");
        }
        assert.equal(await machine.must("ps -eo args | grep -c '[l]umetry' || true"), "0");
      },
    },
  ];
}
