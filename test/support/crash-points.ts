import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";

/**
 * Preloaded into a process that is to die by kill -9 while it replaces a file. LUMETRY_TEST_CRASH is
 * "<moment>:<file's name>:<n>": the n-th replacement of that file, at one of these moments:
 * - written: the new content stands beside the old one
 * - replaced: it has just taken its place
 */
const [moment, name, count] = (process.env.LUMETRY_TEST_CRASH ?? "").split(":");
const { rename } = fs.promises;
let replacements = 0;

async function renameOrDie(from: fs.PathLike, to: fs.PathLike): Promise<void> {
  const isIt = path.basename(String(to)) === name && ++replacements === Number(count);
  if (isIt && moment === "written") process.kill(process.pid, "SIGKILL");
  await rename(from, to);
  if (isIt && moment === "replaced") process.kill(process.pid, "SIGKILL");
}

fs.promises.rename = renameOrDie;
syncBuiltinESMExports();
