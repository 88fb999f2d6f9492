import assert from "node:assert/strict";
import { register } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { Machine } from "../machine.ts";
import type { Scenario } from "../scenario.ts";
import { install, type Stage, status } from "./stage.ts";

/** A collector, by the same means, and an agent that comes through it. */
export function collectorScenarios(stage: Stage): Scenario[] {
  const { server, owner } = stage;
  return [
    {
      name: "a collector is installed by the command that the server shows, and an agent comes through it by the pinned key alone",
      async run() {
        await using machine = await Machine.boot();
        const relay = `127.0.0.1:${await findFreePort()}`;
        const { collectorId, command } = await register(server, owner);
        // The hosts of these tests share one network: its relay takes a port that is free there.
        const made = await machine.run(
          `${command} --set relay-listen=${relay} --set relay-url=https://${relay}`,
        );
        assert.equal(made.code, 0, made.errors);
        assert.match(made.errors, new RegExp(`connected as ${collectorId}`));
        await machine.must("systemd-analyze security --threshold=20 lumetry-collector");

        const through = { collectorIds: [collectorId] };
        const { commands } = await eventually("the relay is known", () =>
          stage.profile({ install: through }).catch(() => undefined),
        );
        assert.match(commands.linux, /--collector-fingerprint sha256:[0-9a-f]{64}/);
        const { code, errors } = await machine.run(commands.linux);
        assert.equal(code, 0, errors);
        assert.match(
          errors,
          /ok +collector .*the server answers through it, over TLS, by the pinned key/,
        );
        const { routes } = await status(machine);
        assert.equal(routes[0].kind, "collector");
        assert.equal(routes[0].inUse, true);

        const wrong = await install(
          stage,
          machine,
          `--collector https://${relay} --collector-fingerprint sha256:${"0".repeat(64)} --wait 5`,
        );
        assert.equal(wrong.code, 0, wrong.errors);
        const after = await eventually("it goes directly", async () => {
          const { routes } = await status(machine);
          return (
            routes.find(
              (route: { kind: string; inUse: boolean }) => route.inUse && route.kind === "direct",
            ) && routes
          );
        });
        assert.match(after[0].problem, /not pinned/);
      },
    },
  ];
}
