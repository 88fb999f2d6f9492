import path from "node:path";
import { SERVICE_SID, withNamespaceAccess, withoutNamespaceAccess } from "./rights.ts";
import type { Run } from "./run.ts";
import type { Service } from "./service.ts";

const KEY = "HKLM\\SOFTWARE\\Microsoft\\InetStp";
/** "IIS Management Scripts and Tools", which brings the namespace. */
const FEATURE = "IIS-ManagementScriptingTools";
export const NAMESPACE = "root\\WebAdministration";
/** Done, and complete after the next restart of Windows. */
const NEEDS_RESTART = 3010;

interface Parts {
  run: Run;
  /** %SystemRoot%\System32. */
  system: string;
  service: Pick<Service, "readNamespace" | "writeNamespace">;
  say: (line: string) => void;
}

const tool = (system: string, name: string) => path.win32.join(system, name);

async function isInstalled({ run, system }: Parts): Promise<boolean> {
  return (await run(tool(system, "reg.exe"), ["query", KEY, "/v", "MajorVersion"])).code === 0;
}

async function ensureFeature({ run, system, say }: Parts): Promise<void> {
  const dism = tool(system, "dism.exe");
  const asked = await run(dism, [
    "/English",
    "/Online",
    "/Get-FeatureInfo",
    `/FeatureName:${FEATURE}`,
  ]);
  if (asked.code === 0 && /^State\s*:\s*Enabled\s*$/m.test(asked.output)) return;
  say("adding the role service IIS Management Scripts and Tools; that can take some minutes");
  const words = ["/English", "/Online", "/Enable-Feature", `/FeatureName:${FEATURE}`];
  const { code, output } = await run(dism, [...words, "/All", "/NoRestart", "/Quiet"]);
  if (code === NEEDS_RESTART) say("it is complete after the next restart of Windows");
  else if (code !== 0)
    throw new Error(`dism.exe ended with ${code}: ${output.trim().split(/\r?\n/).at(-1)}`);
}

/**
 * Where IIS is installed, lets the service read what it is doing: the role service that tells it, and the
 * right to use its namespace from this machine. What fails is told, and costs the states of sites and pools only.
 */
export async function grantIis(parts: Parts): Promise<void> {
  if (!(await isInstalled(parts))) return;
  try {
    await ensureFeature(parts);
    const before = await parts.service.readNamespace(NAMESPACE);
    const after = withNamespaceAccess(before, SERVICE_SID);
    if (!after.equals(before)) await parts.service.writeNamespace(NAMESPACE, after);
  } catch (error) {
    parts.say(
      `warning: the states of IIS sites and pools cannot be measured: ${(error as Error).message}; run the installer again once that is solved`,
    );
  }
}

/** Takes that right back; the role service stays, since others may use it by now. */
export async function revokeIis(parts: Parts): Promise<void> {
  if (!(await isInstalled(parts))) return;
  const before = await parts.service.readNamespace(NAMESPACE);
  const after = withoutNamespaceAccess(before, SERVICE_SID);
  if (!after.equals(before)) await parts.service.writeNamespace(NAMESPACE, after);
}
