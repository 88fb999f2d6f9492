import assert from "node:assert/strict";
import { Machine } from "../machine.ts";
import { release } from "../releases.ts";
import type { Scenario } from "../scenario.ts";
import { install, type Stage, status, traces } from "./stage.ts";

/** What goes wrong, and what it costs: a message, a code of its own, and nothing on the host. */
export function faultScenarios(stage: Stage): Scenario[] {
  const { server } = stage;
  const backend = () => `--backend https://localhost:${new URL(server.url).port}`;

  return [
    {
      name: "mistakes in the command are told before anything is touched",
      async run() {
        await release(stage.packages, "1.0.0", { components: ["agent", "collector"] });
        await using machine = await Machine.boot();
        const mistakes: [flags: string, words: RegExp][] = [
          ["--cluster a --cluster_id cls.abcdefghij", /--cluster and --cluster_id both say/],
          [`--enroll-token lmtae_x`, /--backend is missing/],
          [backend(), /--enroll-token is missing/],
          [`${backend()} --enroll-token lmtce_x`, /no token of an enrollment profile/],
          ["--backend", /--backend needs a value/],
          ["--frobnicate", /needs a value|no option/],
          ["--frobnicate=1", /there is no option --frobnicate/],
          ["install", /"install" is no option/],
          ["--keep-state", /belongs to --uninstall/],
          ["--package /nowhere", /cannot be read/],
          [`--backend=nonsense --enroll-token=lmtae_x`, /--server: 'nonsense'/],
          [`--backend http://localhost --enroll-token lmtae_x`, /is not encrypted/],
        ];
        for (const [flags, words] of mistakes) {
          const { code, errors } = await install(stage, machine, flags);
          assert.equal(code, 2, `${flags}\n${errors}`);
          assert.match(errors, words);
          assert.equal(await traces(machine), "", flags);
        }
        const asUser = await machine.run("runuser -u nobody -- bash -s -- --uninstall", {
          input: await stage.script(),
        });
        assert.equal(asUser.code, 3);
        assert.match(asUser.errors, /sudo/);
      },
    },
    {
      name: "a download that is corrupt, cut, short, a page or missing changes nothing, and says what it was",
      async run() {
        await using machine = await Machine.boot();
        const { token } = await stage.profile();
        const outcomes = { corrupt: 5, short: 5, page: 5, cut: 8, missing: 8 } as const;
        for (const [manner, expected] of Object.entries(outcomes)) {
          const base = stage.downloads.url(manner as keyof typeof outcomes);
          const flags = `${backend()} --enroll-token ${token} --base-url ${base}`;
          const { code, errors } = await install(stage, machine, flags);
          assert.equal(code, expected, `${manner}: ${errors}`);
          assert.match(errors, /[Nn]othing was changed/, manner);
          assert.equal(await traces(machine), "", manner);
        }
        const nobody = await install(
          stage,
          machine,
          `${backend()} --enroll-token ${token} --base-url http://127.0.0.1:1`,
        );
        assert.equal(nobody.code, 8);
      },
    },
    {
      name: "an installer that arrived in part does nothing",
      async run() {
        await using machine = await Machine.boot();
        const script = await stage.script();
        for (const part of [0.2, 0.5, 0.9, 0.999]) {
          const input = script.slice(0, Math.floor(script.length * part));
          await machine.run(`bash -s -- ${backend()} --enroll-token lmtae_x`, { input });
          assert.equal(await traces(machine), "");
        }
      },
    },
    {
      name: "two installers at once: one waits for the other, and there is one agent",
      async run() {
        await using machine = await Machine.boot();
        const { token } = await stage.profile();
        const flags = `${backend()} --enroll-token ${token}`;
        const [one, two] = await Promise.all([
          install(stage, machine, flags),
          install(stage, machine, flags),
        ]);
        assert.deepEqual([one.code, two.code], [0, 0], one.errors + two.errors);
        assert.equal(await machine.must("pgrep -c -f app/agent.mjs"), "1");
        assert.equal((await status(machine)).state, "connected");
      },
    },
    {
      name: "tools and libraries that somebody put into the environment are not used",
      async run() {
        await using machine = await Machine.boot();
        const { token } = await stage.profile();
        for (const tool of ["curl", "tar", "sha256sum", "systemctl", "mktemp", "node"]) {
          await machine.put(`/evil/${tool}`, "#!/bin/sh\ntouch /evil/was-used\nexit 0\n", 0o755);
        }
        const { code, errors } = await install(
          stage,
          machine,
          `${backend()} --enroll-token ${token}`,
          [
            "PATH=/evil:/usr/local/bin:/usr/bin:/bin",
            "NODE_OPTIONS=--require=/evil/node",
            "TAR_OPTIONS=--to-command=/evil/tar",
          ],
        );
        assert.equal(code, 0, errors);
        assert.equal(await machine.must("ls /evil | grep -c was-used || true"), "0");
      },
    },
    {
      name: "what somebody planted where the installer writes is refused, or not followed",
      async run() {
        await using machine = await Machine.boot();
        const { token } = await stage.profile();
        const flags = `${backend()} --enroll-token ${token}`;
        await machine.must("mkdir /elsewhere && ln -s /elsewhere /opt/lumetry-agent");
        const linked = await install(stage, machine, flags);
        assert.equal(linked.code, 4, linked.errors);
        assert.equal(await machine.must("ls /elsewhere"), "");
        await machine.must("rm /opt/lumetry-agent && mkdir -m 777 /etc/lumetry-agent");
        assert.equal((await install(stage, machine, flags)).code, 4);
        await machine.must("rmdir /etc/lumetry-agent && ln -s /elsewhere /var/lib/lumetry-agent");
        assert.equal((await install(stage, machine, flags)).code, 4);
        // The service's own user owns its state, and may have been taken over before an upgrade.
        await machine.must(
          "rm /var/lib/lumetry-agent && useradd --system --user-group --home-dir /var/lib/lumetry-agent lumetry-agent && install -d -m 700 -o lumetry-agent -g lumetry-agent /var/lib/lumetry-agent && echo precious >/elsewhere/file && chmod 600 /elsewhere/file && ln -s /elsewhere/file /var/lib/lumetry-agent/enrollment-token && chown -h lumetry-agent /var/lib/lumetry-agent/enrollment-token",
        );
        const { code, errors } = await install(stage, machine, flags);
        assert.equal(code, 0, errors);
        assert.equal(await machine.must("cat /elsewhere/file"), "precious");
      },
    },
    {
      name: "a full disk, and one where nothing may be executed, are told of and left as they were",
      async run() {
        await using machine = await Machine.boot();
        const { token } = await stage.profile();
        const flags = `${backend()} --enroll-token ${token}`;
        await machine.must("mount -t tmpfs -o size=60m none /opt");
        const small = await install(stage, machine, flags);
        assert.equal(small.code, 4, small.errors);
        assert.match(small.errors, /MB free/);
        // Enough by what the file system says, and then it is not.
        await machine.must("umount /opt && mount -t tmpfs -o size=500m,nr_inodes=20 none /opt");
        const full = await install(stage, machine, flags);
        assert.equal(full.code, 1, full.errors);
        assert.equal(await machine.must("ls -A /opt"), "");
        await machine.must("umount /opt && mount -t tmpfs -o size=1g,noexec none /opt");
        const noexec = await install(stage, machine, flags);
        assert.equal(noexec.code, 6, noexec.errors);
        assert.match(noexec.errors, /Permission denied/);
        await machine.must("umount /opt && mount -t tmpfs -o ro none /opt");
        const readonly = await install(stage, machine, flags);
        assert.notEqual(readonly.code, 0);
        await machine.must("umount /opt");
        assert.equal(await traces(machine), "");
      },
    },
    {
      name: "hosts that will not do are told so: another processor, no systemd, another libc",
      async run() {
        await using machine = await Machine.boot();
        const flags = `${backend()} --enroll-token lmtae_x`;
        const uname = (answer: string) =>
          machine.put(
            "/usr/sbin/uname",
            `#!/bin/sh\n[ "$1" = -m ] && echo ${answer} || exec /usr/bin/uname "$@"\n`,
            0o755,
          );
        await uname("riscv64");
        const processor = await install(stage, machine, flags);
        assert.equal(processor.code, 4);
        assert.match(processor.errors, /no package for the processor riscv64/);
        await machine.must("rm /usr/sbin/uname");
        await machine.put(
          "/usr/sbin/getconf",
          "#!/bin/sh\n[ $1 = LONG_BIT ] && echo 64 || exit 1\n",
          0o755,
        );
        const libc = await install(stage, machine, flags);
        assert.equal(libc.code, 4);
        assert.match(libc.errors, /no glibc/);
        await machine.put(
          "/usr/sbin/getconf",
          "#!/bin/sh\n[ $1 = LONG_BIT ] && echo 64 || echo glibc 2.17\n",
          0o755,
        );
        assert.match(
          (await install(stage, machine, flags)).errors,
          /glibc 2\.17; Lumetry needs 2\.28/,
        );
        await machine.must("rm /usr/sbin/getconf");
        const bare = await machine.run(
          `unshare -m sh -c 'umount -R /run; exec bash -s -- ${flags}'`,
          { input: await stage.script() },
        );
        assert.equal(bare.code, 4, bare.errors);
        assert.match(bare.errors, /systemd does not run this host/);
      },
    },
    {
      name: "a refused token has a code of its own, keeps the agent, and a good one mends it",
      async run() {
        await using machine = await Machine.boot();
        const wrong = `lmtae_${"A".repeat(43)}`;
        const refused = await install(stage, machine, `${backend()} --enroll-token ${wrong}`);
        assert.equal(refused.code, 9, refused.errors);
        assert.match(refused.errors, /refused it/);
        const { token } = await stage.profile();
        const { code, errors } = await install(stage, machine, `--enroll-token ${token}`);
        assert.equal(code, 0, errors);
        assert.match(errors, /connected as/);
      },
    },
    {
      name: "a dry run tells what would be done, and does not do it",
      async run() {
        await using machine = await Machine.boot();
        const { code, errors } = await install(
          stage,
          machine,
          `${backend()} --enroll-token lmtae_x --dry-run`,
        );
        assert.equal(code, 0, errors);
        assert.match(errors, /would install agent 1\.0\.0 for linux-x64/);
        assert.equal(await traces(machine), "");
      },
    },
  ];
}
