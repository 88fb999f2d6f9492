import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../../../packaging/bundle.ts";
import { COMPONENTS } from "../../../packaging/components.ts";
import type { CollectorOptions } from "../../support/collector-process.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** What stands between Node and the program. */
const flagsOfNode = (words: string[]) =>
  words.slice(
    1,
    words.findIndex((word) => word.endsWith(".mjs")),
  );

/** The collector as its package has it, started as its service starts it. */
export async function installCollector(
  directory: string,
): Promise<Required<Pick<CollectorOptions, "program" | "node" | "environment">>> {
  const app = path.join(directory, "app");
  await mkdir(app, { recursive: true });
  await writeFile(path.join(directory, "package.json"), '{"version":"0.0.0","type":"module"}');
  await copyFile(
    path.join(root, "node_modules/classic-level/prebuilds/linux-x64/classic-level.node"),
    path.join(app, "classic-level.node"),
  );
  for (const { name, code } of await bundle(COMPONENTS.collector)) {
    await writeFile(path.join(app, `${name}.mjs`), code);
  }
  const unit = await readFile(path.join(root, "packaging/linux/lumetry-collector.service"), "utf8");
  const line = (name: string) =>
    new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1]?.split(" ") ?? [];
  return {
    program: path.join(app, "collector.mjs"),
    node: flagsOfNode(line("ExecStart")),
    environment: {
      ...Object.fromEntries(line("Environment").map((each) => each.split("=", 2))),
      // The service keeps nothing compiled.
      NODE_COMPILE_CACHE: "",
    },
  };
}
