import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { Machine } from "../machine.ts";
import { release } from "../releases.ts";
import type { Scenario } from "../scenario.ts";

const ARCHIVE = "lumetry-server-1.0.0-linux-x64.tar.gz";

/** A server by its package and its unit, put where docs/installers.md says. */
export function serverScenarios(): Scenario[] {
  return [
    {
      name: "a server runs from its unit in its sandbox, with its own database, and stops when told",
      async run() {
        const folder = await mkdtemp(path.join(tmpdir(), "lumetry-server-package-"));
        await using cleared = new AsyncDisposableStack();
        cleared.defer(() => rm(folder, { recursive: true }));
        await release(folder, "1.0.0", { components: ["server"] });
        const machine = cleared.use(await Machine.boot());
        const port = await findFreePort();
        await machine.copy(path.join(folder, ARCHIVE), `/root/${ARCHIVE}`);
        await machine.must(
          [
            "mkdir -p /opt/lumetry-server/versions/1.0.0",
            `tar -xzf ${ARCHIVE} -C /opt/lumetry-server/versions/1.0.0 --strip-components=1 --no-same-owner`,
            "ln -s versions/1.0.0 /opt/lumetry-server/current",
            "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin lumetry-server",
            'cp "$(find /opt/lumetry-server/current/ -name lumetry-server.service)" /etc/systemd/system/',
          ].join(" && "),
        );
        await machine.put(
          "/etc/lumetry-server/settings.json",
          JSON.stringify({ listen: `127.0.0.1:${port}` }),
        );
        await machine.must("systemctl daemon-reload && systemctl enable --now lumetry-server");
        await eventually("it is ready", async () => {
          const { output } = await machine.run(`curl -skf https://127.0.0.1:${port}/readyz`);
          if (output.includes("ready")) return true;
          const state = await machine.run("systemctl is-failed lumetry-server");
          if (state.code !== 0) return false;
          throw new Error(await machine.must("journalctl --unit lumetry-server --no-pager"));
        });
        await machine.must("systemd-analyze security --threshold=20 lumetry-server");
        await machine.must("systemctl stop lumetry-server");
        assert.equal(
          await machine.must("systemctl show --property Result --value lumetry-server"),
          "success",
        );
      },
    },
  ];
}
