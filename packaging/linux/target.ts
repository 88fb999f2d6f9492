import { readFile } from "node:fs/promises";
import path from "node:path";
import { fillBootstrap } from "../../server/packages/bootstrap.ts";
import { tarGz } from "../archives/tar.ts";
import { type ComponentName, componentNames } from "../components.ts";
import type { Entry } from "../entry.ts";
import type { Target } from "../targets.ts";

const read = (name: string) => readFile(path.join(import.meta.dirname, name));

/** `lumetry-agent status` and alike, for people on the host. */
const command = (component: ComponentName) => `#!/bin/sh
# Runs the ${component} of this package with the runtime beside it; the service does so by itself.
here=$(dirname "$(readlink -f "$0")")
export LUMETRY_DATA_DIR="\${LUMETRY_DATA_DIR:-/var/lib/lumetry-${component}}"
exec "$here/node" "$here/../app/${component}.mjs" "$@"
`;

async function extras(component: ComponentName): Promise<Entry[]> {
  const unit = `lumetry-${component}.service`;
  const installer = String(await read("install.sh"));
  const own = fillBootstrap("install.sh", installer, { COMPONENT: component });
  return [
    // For removing what it has installed, when nothing can be downloaded.
    ...(component === "server"
      ? []
      : [{ path: "install.sh", isProgram: true, data: Buffer.from(own) }]),
    { path: unit, data: await read(unit) },
    { path: `bin/lumetry-${component}`, isProgram: true, data: Buffer.from(command(component)) },
  ];
}

export const linuxTarget = (arch: "x64" | "arm64", addon: string): Target => ({
  name: `linux-${arch}`,
  components: componentNames,
  runtime: { package: `node-linux-${arch}`, file: "bin/node", path: "bin/node" },
  addon,
  extras,
  archive: { extension: ".tar.gz", pack: tarGz },
});
