import { tar } from "../archives/tar.ts";
import { assemble, projectVersion } from "../assemble.ts";
import type { ComponentName } from "../components.ts";
import type { Entry } from "../entry.ts";
import type { File } from "../release.ts";
import { TARGETS } from "../targets.ts";
import { type DebianPackage, debianBase } from "./debian.ts";
import { accountEntries, Layout } from "./image.ts";

/** What runs in containers: an agent is of its host. */
export const imageComponents = ["collector", "server"] as const satisfies ComponentName[];

const ARCHITECTURES = { "linux-x64": "amd64", "linux-arm64": "arm64" } as const;
type ImageTarget = keyof typeof ARCHITECTURES;

const below = (folder: string, entries: Entry[]): Entry[] =>
  entries.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` }));

/** What Debian's part of an image is made of, for whoever scans it; the programs' own list lies beside them. */
const listing = (packages: DebianPackage[]): Entry => ({
  path: "usr/share/lumetry/debian-packages",
  data: Buffer.from(
    packages.map(({ name, version, sha256 }) => `${name} ${version} sha256:${sha256}\n`).join(""),
  ),
});

/**
 * An archive in the OCI layout for each component, for all processors in one: for `podman load`,
 * `skopeo copy oci-archive:` and alike. Takes Debian's apt and dpkg, no daemon and no root.
 */
export async function buildImages(options: {
  components?: readonly (typeof imageComponents)[number][];
  targets?: readonly ImageTarget[];
  level: number;
  version?: string;
  onBuilt?: (line: string) => void;
}): Promise<File[]> {
  const {
    components = imageComponents,
    targets = Object.keys(ARCHITECTURES) as ImageTarget[],
    level,
    version = projectVersion,
  } = options;
  const bases = new Map<ImageTarget, Entry[]>();
  for (const name of targets) {
    const { entries, packages } = await debianBase(ARCHITECTURES[name]);
    bases.set(name, [...entries, listing(packages)]);
  }
  const files: File[] = [];
  for (const component of components) {
    const layout = new Layout();
    for (const name of targets) {
      const target = TARGETS.find((each) => each.name === name);
      if (!target) throw new Error(`there is no target ${name}`);
      const { entries } = await assemble(component, target, version);
      const own = entries.filter(({ path }) => !/\.service$|^install\.sh$/.test(path));
      layout.addImage({
        component,
        version,
        architecture: ARCHITECTURES[name],
        level,
        layers: [
          bases.get(name) ?? [],
          [...accountEntries(component), ...below("opt/lumetry", own)],
        ],
      });
    }
    const data = tar(layout.entries(`lumetry-${component}:${version}`));
    const path = `lumetry-${component}-${version}.oci.tar`;
    files.push({ path, data });
    options.onBuilt?.(`${path}  ${(data.length / 1e6).toFixed(1)} MB`);
  }
  return files;
}
