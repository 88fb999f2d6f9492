import path from "node:path";
import { isConfirmed } from "./health.ts";
import { forgetOldIdentity } from "./identity.ts";
import type { Places } from "./places.ts";
import type { Run } from "./run.ts";
import type { Service } from "./service.ts";

const TASK = "LumetryAgentEnrollment";

export const tokenVariables = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { LUMETRY_ENROLLMENT_TOKEN: token };

/** Takes the token out of the service's environment; its process has a copy, and so begins anew. */
export async function removeToken(service: Service): Promise<void> {
  await service.setEnvironment({});
  await service.stop();
  await service.start();
}

/**
 * Leaves the removal to Windows' task scheduler, for a host that has not enrolled yet: every five minutes, as the
 * system, since the service itself may not change its environment. The task removes itself.
 */
export async function scheduleRemoval(
  run: Run,
  places: Places,
  packageFolder: string,
): Promise<void> {
  const { join } = path.win32;
  const command = `"${join(packageFolder, "bin", "node.exe")}" "${join(packageFolder, "app", "setup.mjs")}" finish`;
  const words = [
    "/Create",
    "/F",
    "/TN",
    TASK,
    "/SC",
    "MINUTE",
    "/MO",
    "5",
    "/RU",
    "SYSTEM",
    "/TR",
    command,
  ];
  const { code, errors } = await run(join(places.system, "schtasks.exe"), words);
  if (code !== 0) throw new Error(`schtasks.exe ended with ${code}: ${errors.trim()}`);
}

/** Without a word if there is no such task. */
export async function unschedule(run: Run, places: Places): Promise<void> {
  await run(path.win32.join(places.system, "schtasks.exe"), ["/Delete", "/F", "/TN", TASK]);
}

/** What the task does. */
export async function finish(run: Run, places: Places, service: Service): Promise<void> {
  if ((await service.show()) !== undefined) {
    if (!(await isConfirmed(places.data))) return;
    await removeToken(service);
    await forgetOldIdentity(places.data);
  }
  await unschedule(run, places);
}
