/** What can be said of installers and units without running them. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Layer } from "./scenario.ts";
import { must, run } from "./shell.ts";

const FOLDER = "packaging/linux";

export const staticChecks: Layer = {
  name: "Scripts and units",
  groups: ["static"],
  tools: { shellcheck: "shellcheck", "systemd-analyze": "systemd" },
  async open() {
    const root = await mkdtemp(path.join(tmpdir(), "lumetry-units-"));
    const units = (await readdir(FOLDER)).filter((name) => name.endsWith(".service"));
    return {
      scenarios: [
        {
          name: "static: shellcheck finds nothing in the installer",
          run: () => must("shellcheck", [`${FOLDER}/install.sh`]).then(() => {}),
        },
        {
          name: "static: units hold nothing that systemd does not know, and their sandbox is 2.0 or better",
          async run() {
            assert.equal(units.length, 3);
            for (const unit of units) {
              const text = await readFile(path.join(FOLDER, unit), "utf8");
              // What the unit starts has to be there to be looked at.
              const [, program = ""] = /^ExecStart=(\S+)/m.exec(text) ?? [];
              await mkdir(path.dirname(path.join(root, program)), { recursive: true });
              await writeFile(path.join(root, program), "#!/bin/sh\n", { mode: 0o755 });
              const place = path.join(root, unit);
              await writeFile(place, text.replace(program, path.join(root, program)));
              const { code, errors } = await run("systemd-analyze", [
                "verify",
                "--recursive-errors=one",
                "--man=no",
                place,
              ]);
              assert.equal(code, 0, errors);
              await must("systemd-analyze", ["security", "--offline=yes", "--threshold=20", place]);
            }
          },
        },
      ],
      [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
    };
  },
};
