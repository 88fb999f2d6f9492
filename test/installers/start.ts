/** From nothing to a chart: what somebody who tries Lumetry for the first time does. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { Machine } from "./machine.ts";
import { release } from "./releases.ts";
import type { Layer } from "./scenario.ts";
import { must } from "./shell.ts";

const METRIC = "system.cpu.load_average.1m";

export const start: Layer = {
  name: "From npm start to a chart",
  groups: ["start"],
  tools: { debootstrap: "debootstrap", "systemd-nspawn": "systemd-container" },
  async open() {
    const folder = await mkdtemp(path.join(tmpdir(), "lumetry-start-"));
    const launcher = path.resolve("bin/lumetry.js");
    const lumetry = (...words: string[]) =>
      must(process.execPath, [launcher, ...words], { cwd: folder });
    return {
      scenarios: [
        {
          name: "start: an agent that the shown command installs has its first point on a chart",
          async run() {
            const packages = path.join(folder, "packages");
            await release(packages, "1.0.0");
            await using machine = await Machine.boot();
            const begun = performance.now();
            const seconds = () => ((performance.now() - begun) / 1000).toFixed(1);
            const tell = (what: string) => console.log(`  ${seconds().padStart(6)} s  ${what}`);

            const up = spawn(
              process.execPath,
              [launcher, "up", "--port", String(await findFreePort())],
              { cwd: folder, env: { ...process.env, LUMETRY_PACKAGES_DIR: packages } },
            );
            const ended = once(up, "exit");
            let said = "";
            for (const stream of [up.stdout, up.stderr]) {
              stream.setEncoding("utf8").on("data", (text: string) => {
                said += text;
              });
            }
            try {
              await eventually(
                "everything runs",
                () => {
                  assert.equal(up.exitCode, null, said);
                  return said.includes("Lumetry is running");
                },
                240_000,
              );
              tell("npm start has everything running");
              const shown = await lumetry("profiles", "create", "first hosts", "--json");
              tell("a profile is made, and its command shown");
              const { code, errors } = await machine.run(JSON.parse(shown).commands.linux);
              assert.equal(code, 0, errors);
              const [, agentId = ""] = /connected as (agt\.\w+)/.exec(errors) ?? [];
              tell(`the command has installed ${agentId}, which is connected`);
              const chart = await eventually("the chart has a point", async () => {
                const label = `lumetry.agent_id=${agentId}`;
                const query = ["metrics", "query", METRIC, "--label", label, "--since", "5m"];
                const text = await lumetry(...query).catch(() => "");
                // The line below the chart that sums up what it shows.
                return / avg \d/.test(text) ? text : false;
              });
              tell("its first point is on a chart");
              console.log(
                chart
                  .split("\n")
                  .map((line) => `    ${line}`)
                  .join("\n"),
              );
            } finally {
              up.kill("SIGINT");
              await ended;
            }
          },
        },
      ],
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  },
};
