import { revokeIis } from "./iis.ts";
import type { Setup } from "./install.ts";
import { SERVICE_SID } from "./rights.ts";
import { Service } from "./service.ts";
import { unschedule } from "./token.ts";

/** Takes away everything that Windows knows of the agent; uninstall.ps1 then removes the folders. */
export async function uninstall({ run, places, packageFolder, say }: Setup): Promise<void> {
  const service = new Service(run, packageFolder);
  await service.remove();
  await unschedule(run, places);
  const lesser = [
    () => service.do(["performance", "leave", SERVICE_SID]),
    () => revokeIis({ run, system: places.system, service, say }),
  ];
  for (const each of lesser) {
    await each().catch((error: Error) => say(`warning: ${error.message}`));
  }
}
