import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Assembled, assemble } from "../../packaging/assemble.ts";
import { layOut, pack } from "../../packaging/release.ts";
import { TARGETS, type Target } from "../../packaging/targets.ts";

/** Good enough for a test: most of a package is one large program. */
const LEVEL = 1;

export function targetOf(name: string): Target {
  const target = TARGETS.find((each) => each.name === name);
  if (!target) throw new Error(`there is no target ${name}`);
  return target;
}

/** The program of a component, changed by whoever makes a release that is not well. */
export const withProgram =
  (change: (code: string) => string) =>
  (assembled: Assembled): Assembled => ({
    ...assembled,
    entries: assembled.entries.map((entry) =>
      /^app\/\w+\.mjs$/.test(entry.path) && "data" in entry
        ? { ...entry, data: Buffer.from(change(entry.data.toString())) }
        : entry,
    ),
  });

/** Lays a release of some version out in a folder, which then holds nothing else. */
export async function release(
  folder: string,
  version: string,
  options: {
    components?: ("agent" | "collector" | "server")[];
    target?: string;
    change?: (assembled: Assembled) => Assembled;
  } = {},
): Promise<void> {
  const { components = ["agent"], change = (as) => as } = options;
  const target = targetOf(options.target ?? "linux-x64");
  const packed = [];
  for (const component of components) {
    const assembled = change(await assemble(component, target, version));
    packed.push(...(await pack(assembled, target, LEVEL)));
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const files = await layOut(packed, { version });
  for (const file of files) await writeFile(path.join(folder, file.path), file.data);
}
