import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { readIfPresent } from "../../../lib/durable-file.ts";
import { isConfirmed } from "./health.ts";

const filesIn = (dataDir: string) => {
  const file = path.join(dataDir, "identity.json");
  return { file, old: `${file}.old` };
};

/** Makes room for another identity; the one from before is kept beside it until that has worked. The service is stopped. */
export async function setIdentityAside(dataDir: string): Promise<void> {
  const { file, old } = filesIn(dataDir);
  if (await isConfirmed(dataDir)) await rename(file, old);
  else await rm(file, { force: true });
}

/** Brings it back, unless the other one has worked; answers whether it is back. The service is stopped. */
export async function restoreIdentity(dataDir: string): Promise<boolean> {
  const { file, old } = filesIn(dataDir);
  if ((await readIfPresent(old)) === undefined || (await isConfirmed(dataDir))) return false;
  await rename(old, file);
  return true;
}

/** Once the other one has worked. */
export async function forgetOldIdentity(dataDir: string): Promise<void> {
  await rm(filesIn(dataDir).old, { force: true });
}
