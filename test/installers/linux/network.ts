import assert from "node:assert/strict";
import { eventually } from "../../support/eventually.ts";
import { startHttpProxy } from "../../support/http-proxy.ts";
import { Machine } from "../machine.ts";
import type { Scenario } from "../scenario.ts";
import { install, type Stage, status } from "./stage.ts";

/** Ways out of a network, and none. */
export function networkScenarios(stage: Stage): Scenario[] {
  const { server } = stage;
  const port = () => new URL(server.url).port;

  return [
    {
      name: "behind a proxy, the package and every call go through it, password included",
      async run() {
        await using machine = await Machine.boot();
        await using proxy = await startHttpProxy();
        const { token } = await stage.profile();
        const place = `${stage.hiddenName}:${port()}`;
        const at = `https://${place}`;
        const flags = `--backend ${at} --base-url ${at}/packages --enroll-token ${token}`;
        const without = await install(stage, machine, flags);
        assert.equal(without.code, 8, without.errors);
        assert.match(without.errors, /Behind a proxy, give --proxy/);
        const { code, errors } = await install(
          stage,
          machine,
          `${flags} --proxy http://us%65r:pass@127.0.0.1:${proxy.port}`,
        );
        assert.equal(code, 0, errors);
        assert.match(errors, /by the proxy 127\.0\.0\.1:\d+\): it answers, over TLS/);
        assert.match(errors, /connected as/);
        assert.doesNotMatch(errors, /pass@/);
        const expected = `Basic ${Buffer.from("user:pass").toString("base64")}`;
        assert.deepEqual(new Set(proxy.asked.map((each) => each.place)), new Set([place]));
        assert.deepEqual(new Set(proxy.asked.map((each) => each.credentials)), new Set([expected]));
      },
    },
    {
      name: "without a network, a file that was carried over is installed, and only the right one",
      async run() {
        await using machine = await Machine.boot();
        const { token } = await stage.profile();
        await machine.copy(stage.packages, "/media");
        const archive = "/media/lumetry-agent-1.0.0-linux-x64.tar.gz";
        const flags = `--backend https://localhost:${port()} --enroll-token-file /root/token --package`;
        await machine.put("/root/token", `${token}\n`, 0o600);
        await machine.put("/root/ca.pem", server.ca);
        const run = (more: string) =>
          machine.run(`bash /media/install.sh ${flags} ${more} --ca-file /root/ca.pem`);
        await machine.must(
          `cp ${archive} /root/lumetry-agent-1.0.0-linux-x64.tar.gz && printf x >>/root/lumetry-agent-1.0.0-linux-x64.tar.gz`,
        );
        assert.equal((await run("/root/lumetry-agent-1.0.0-linux-x64.tar.gz")).code, 5);
        await machine.must(`cp ${archive} /root/renamed.tar.gz`);
        assert.equal((await run("/root/renamed.tar.gz")).code, 5);
        assert.equal((await run("/media/lumetry-collector-1.0.0-linux-x64.tar.gz")).code, 4);
        const { code, errors } = await run(archive);
        assert.equal(code, 0, errors);
        assert.match(errors, /connected as/);
      },
    },
    {
      name: "a host with wget and no curl will do",
      async run() {
        await using machine = await Machine.boot();
        const { token } = await stage.profile();
        // wget comes from this machine, with what it needs; curl goes.
        await machine.must("mv /usr/bin/curl /usr/bin/kept");
        await machine.put(
          "/usr/bin/wget",
          `#!/bin/sh\nfor each in "$@"; do case $each in --ca-certificate=*) ca=\${each#*=} ;; --output-document=*) out=\${each#*=} ;; https:*) url=$each ;; --quiet|--tries=3|--timeout=20) ;; *) echo "wget: $each?" >&2; exit 2 ;; esac; done\nexec /usr/bin/kept -fsS --cacert "$ca" -o "$out" "$url"\n`,
          0o755,
        );
        const { code, errors } = await install(
          stage,
          machine,
          `--backend https://localhost:${port()} --enroll-token ${token}`,
        );
        assert.equal(code, 0, errors);
        assert.match(errors, /connected as/);
      },
    },
    {
      name: "an agent that was installed while Lumetry was away enrolls later, and its token goes then",
      async run() {
        await using machine = await Machine.boot();
        const { token } = await stage.profile();
        const at = `https://${stage.hiddenName}:${port()}`;
        const flags = `--backend ${at} --enroll-token ${token} --wait 2`;
        const { code, errors } = await install(stage, machine, flags);
        assert.equal(code, 0, errors);
        assert.match(errors, /failed +server/);
        assert.match(errors, /goes on trying/);
        await machine.must("test -e /var/lib/lumetry-agent/enrollment-token");
        // The network comes up: by another way of ours, without the installer.
        await machine.must(`echo '127.0.0.1 ${stage.hiddenName}' >>/etc/hosts`);
        await eventually(
          "it is connected",
          async () => (await status(machine)).state === "connected",
          120_000,
        );
        await machine.must("test ! -e /var/lib/lumetry-agent/enrollment-token");
      },
    },
  ];
}
