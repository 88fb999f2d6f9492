import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { type Entry, sortEntries } from "../entry.ts";

const run = promisify(execFile);

/** All that a program of ours needs of a system; initdb of the embedded PostgreSQL asks for a shell. */
const PACKAGES = [
  "libc6",
  "libgcc-s1",
  "libstdc++6",
  "dash",
  "base-files",
  "tzdata",
  "media-types",
];
const SUITE = "bookworm";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** Nobody reads these in an image. */
const LEFT_OUT =
  /^(usr\/share\/(man|locale|lintian|bug|info|doc-base)\/|usr\/share\/doc\/[^/]+\/(?!copyright$)|var\/|usr\/lib\/[^/]+\/gconv\/)/;

export interface DebianPackage {
  name: string;
  version: string;
  sha256: string;
}

/**
 * The files of a few packages of Debian, as apt fetches and verifies them: of this machine's sources,
 * under lists of their own, so that nothing of this machine changes and any processor will do.
 */
export async function debianBase(
  architecture: "amd64" | "arm64",
): Promise<{ entries: Entry[]; packages: DebianPackage[] }> {
  const work = await mkdtemp(path.join(tmpdir(), "lumetry-debian-"));
  try {
    for (const folder of ["lists/partial", "cache/archives/partial", "debs", "root"]) {
      await mkdir(path.join(work, folder), { recursive: true });
    }
    await writeFile(path.join(work, "status"), "");
    await writeFile(path.join(work, "sources.list"), await sourcesOfDebian());
    const options = [
      `Dir::State=${work}`,
      `Dir::State::lists=${work}/lists`,
      `Dir::State::status=${work}/status`,
      `Dir::Cache=${work}/cache`,
      `Dir::Etc::SourceList=${work}/sources.list`,
      "Dir::Etc::SourceParts=-",
      "APT::Sandbox::User=root",
      `APT::Architecture=${architecture}`,
      `APT::Architectures=${architecture}`,
    ].flatMap((option) => ["-o", option]);
    await run("apt-get", [...options, "-q", "update"]);
    await run("apt-get", [...options, "-q", "download", ...PACKAGES], { cwd: `${work}/debs` });
    const debs = (await readdir(`${work}/debs`)).sort();
    const packages: DebianPackage[] = [];
    for (const deb of debs) {
      const file = path.join(work, "debs", deb);
      const { stdout } = await run("dpkg-deb", ["--field", file, "Package", "Version"]);
      const [, name = "", version = ""] = /^Package: (.*)\nVersion: (.*)$/m.exec(stdout) ?? [];
      const sha256 = createHash("sha256")
        .update(await readFile(file))
        .digest("hex");
      packages.push({ name, version, sha256 });
      await run("dpkg-deb", ["-x", file, `${work}/root`]);
    }
    return { entries: await readTree(`${work}/root`), packages };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Where this machine has Debian from, with its updates for security; of no other origin. */
async function sourcesOfDebian(): Promise<string> {
  const format = "$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)";
  const asked = ["indextargets", "--format", format, "Created-By: Packages"];
  const { stdout } = await run("apt-get", asked);
  const lines = new Set<string>();
  for (const line of stdout.split("\n")) {
    const [origin, codename = "", component, uri] = line.split("|");
    if (origin !== "Debian" || component !== "main") continue;
    if (codename !== SUITE && codename !== `${SUITE}-security`) continue;
    lines.add(`deb [signed-by=${KEYRING}] ${uri} ${codename} main\n`);
  }
  if (lines.size === 0) {
    throw new Error(
      `images are made of Debian's ${SUITE}, which this machine's apt does not know: add it to its sources, and run "apt-get update"`,
    );
  }
  return [...lines].sort().join("");
}

async function readTree(root: string): Promise<Entry[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  const entries: Entry[] = [];
  for (const each of found) {
    const file = path.join(each.parentPath, each.name);
    const place = path.relative(root, file);
    if (LEFT_OUT.test(`${place}${each.isDirectory() ? "/" : ""}`)) continue;
    if (each.isSymbolicLink()) entries.push({ path: merged(place), link: await readlink(file) });
    else if (each.isFile()) {
      const isProgram = ((await lstat(file)).mode & 0o100) !== 0;
      entries.push({ path: merged(place), isProgram, data: await readFile(file) });
    }
  }
  const links = ["bin", "lib", "lib64", "sbin"].map((name) => ({
    path: name,
    link: `usr/${name}`,
  }));
  return sortEntries([...entries, ...links]);
}

/** As on a system of today, /bin and /lib are in /usr. */
const merged = (place: string) => place.replace(/^(bin|lib|lib64|sbin)\//, "usr/$1/");
