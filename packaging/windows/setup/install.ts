import { copyFile, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { readIfPresent } from "../../../lib/durable-file.ts";
import { EXIT, SetupError } from "./ending.ts";
import {
  becomesWell,
  hasEnded,
  isConfirmed,
  isRefused,
  lastWords,
  readAgentStatus,
  type Start,
} from "./health.ts";
import { forgetOldIdentity, restoreIdentity, setIdentityAside } from "./identity.ts";
import { grantIis } from "./iis.ts";
import { type Places, packageOf } from "./places.ts";
import type { Request } from "./request.ts";
import { FOLDER_RIGHTS, SERVICE_SID } from "./rights.ts";
import type { Run } from "./run.ts";
import { Service } from "./service.ts";
import { removeToken, scheduleRemoval, tokenVariables, unschedule } from "./token.ts";

export interface Setup {
  run: Run;
  places: Places;
  /** Of the package that this setup is in: it is unpacked where it stays. */
  packageFolder: string;
  say: (line: string) => void;
}

const { win32 } = path;

/** The agent's program of this package, for one of its commands. */
const askAgent = ({ run, packageFolder }: Setup, words: string[]) =>
  run(win32.join(packageFolder, "bin", "node.exe"), [
    win32.join(packageFolder, "app", "agent.mjs"),
    ...words,
  ]);

async function isThere(file: string): Promise<boolean> {
  return (await readIfPresent(file)) !== undefined;
}

async function checkRequest(
  { places }: Setup,
  request: Request,
  isEnrolled: boolean,
): Promise<void> {
  if (!request.hasRoute && !(await isThere(places.settings))) {
    throw new SetupError(
      EXIT.usage,
      "-BackendUrl is missing: give Lumetry's address, as the command that it shows does",
    );
  }
  if (!isEnrolled && request.token === undefined) {
    throw new SetupError(EXIT.usage, "-EnrollmentToken is missing: this host is not enrolled yet");
  }
}

async function testPackage(setup: Setup): Promise<void> {
  const { code, errors } = await askAgent(setup, ["self-test"]);
  if (code === 0) return;
  throw new SetupError(EXIT.selfTest, `the agent does not run on this host:\n${errors.trim()}`);
}

async function makeFolders({ places }: Setup, service: Service): Promise<void> {
  await service.protect(places.lumetry, FOLDER_RIGHTS.shared);
  await service.protect(places.state, FOLDER_RIGHTS.readable);
  await service.protect(places.config, FOLDER_RIGHTS.readable);
  await service.protect(places.data, FOLDER_RIGHTS.writable);
}

/** Tells the authority that the installer brought from one that a person gave; the same on Linux. */
const AUTHORITY_MARK = "# the authority of the installer\n";

/** What is to be trusted from now on; undefined if that stays. The installer's never takes the place of a person's. */
async function newAuthority({ places }: Setup, request: Request): Promise<string | undefined> {
  const { authority, installerAuthority } = request;
  if (authority !== undefined || installerAuthority === undefined) return authority;
  const before = await readIfPresent(places.authority);
  const isTheirs = before !== undefined && !before.startsWith(AUTHORITY_MARK);
  return isTheirs ? undefined : AUTHORITY_MARK + installerAuthority;
}

/** Makes the settings that are to come beside those that are, and answers in what they differ. */
async function stageSettings(setup: Setup, request: Request): Promise<string> {
  const { settings, authority, data } = setup.places;
  const staged = `${settings}.new`;
  for (const file of [settings, authority]) {
    for (const left of [`${file}.new`, `${file}.old`]) await rm(left, { force: true });
  }
  if (await isThere(settings)) await copyFile(settings, staged);
  const trusted = await newAuthority(setup, request);
  if (trusted !== undefined) await writeFile(`${authority}.new`, `${trusted}\n`);
  const ca = trusted === undefined ? [] : ["--ca", authority, "--ca-source", `${authority}.new`];
  const words = ["--settings-file", staged, "--data-dir", data, ...ca, ...request.settings];
  const { code, output, errors } = await askAgent(setup, ["configure", ...words]);
  if (code !== 0) throw new SetupError(EXIT.usage, errors.trim());
  return output.trim();
}

/** Before the token is spent: tells what stands in the way, and hinders nothing. */
async function examine(setup: Setup): Promise<void> {
  const { settings, authority } = setup.places;
  const ca = (await isThere(`${authority}.new`)) ? ["--ca", `${authority}.new`] : [];
  const { output } = await askAgent(setup, ["doctor", "--settings-file", `${settings}.new`, ...ca]);
  setup.say(output.trimEnd());
}

async function applySettings({ settings, authority }: Places): Promise<void> {
  for (const file of [settings, authority]) {
    if (!(await isThere(`${file}.new`))) continue;
    if (await isThere(file)) await copyFile(file, `${file}.old`);
    await rename(`${file}.new`, file);
  }
}

async function restoreSettings({ settings, authority }: Places): Promise<void> {
  // An authority from before is kept as .old; one without is what these settings brought.
  const { ca } = JSON.parse((await readIfPresent(`${settings}.old`)) ?? `{"ca": true}`);
  if (ca === undefined) await rm(authority, { force: true });
  for (const file of [settings, authority]) {
    if (await isThere(`${file}.old`)) await rename(`${file}.old`, file);
  }
}

/** Leaves the token to a service that has not enrolled yet, and its removal to a task of a package that stays. */
async function leaveToken({ run, places, say }: Setup, packageFolder: string): Promise<void> {
  await scheduleRemoval(run, places, packageFolder).then(
    () => say("It goes on trying; a scheduled task removes the token once it has enrolled"),
    (error: Error) =>
      say(
        `It goes on trying. warning: the token stays in the service's environment, which administrators can read, until you run the installer again: ${error.message}`,
      ),
  );
}

async function rollBack(setup: Setup, previous: string | undefined): Promise<never> {
  const { run, places, say } = setup;
  say(`the agent did not become well. It said last:\n${await lastWords(places.log)}`);
  await new Service(run, setup.packageFolder).stop();
  await restoreSettings(places);
  await restoreIdentity(places.data);
  if (previous === undefined || previous === setup.packageFolder) {
    await new Service(run, setup.packageFolder).remove();
    throw new SetupError(
      EXIT.health,
      `nothing is installed; what the agent left is in ${places.data}`,
    );
  }
  const service = new Service(run, previous);
  await service.install();
  if (await isConfirmed(places.data)) await service.setEnvironment({});
  else await leaveToken(setup, previous);
  await service.start();
  throw new SetupError(EXIT.health, `back to what was there before, in ${previous}`);
}

/** Every package but this one; those that are still held open go with the next installation. */
async function forgetOthers({ places, packageFolder }: Setup): Promise<void> {
  for (const name of await readdir(places.versions)) {
    const other = win32.join(places.versions, name);
    if (packageFolder.toLowerCase().startsWith(`${other}\\`.toLowerCase())) continue;
    await rm(other, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
  }
}

/** Throws for an agent that has ended for good. */
async function checkEnd({ places }: Setup, service: Service, start: Start): Promise<void> {
  if (!(await hasEnded(service))) return;
  await service.setEnvironment({});
  if (!(await isRefused(service, places.data, start))) {
    const words = await lastWords(places.log, 1);
    throw new SetupError(EXIT.refused, `the agent is installed, but does not run: ${words}`);
  }
  const why = (await readAgentStatus(places.data))?.problem || (await lastWords(places.log, 1));
  if (await restoreIdentity(places.data)) {
    await service.start();
    throw new SetupError(
      EXIT.refused,
      `the agent is installed, but Lumetry refused to enroll it anew: ${why}\nThe host goes on as who it was before. Run the installer again with another -EnrollmentToken and -ReEnroll`,
    );
  }
  throw new SetupError(
    EXIT.refused,
    `the agent is installed, but Lumetry refused it: ${why}\nRun the installer again with a new -EnrollmentToken, and -ReEnroll if this host was enrolled before`,
  );
}

async function waitForEnrollment(
  setup: Setup,
  service: Service,
  start: Start,
  seconds: number,
): Promise<void> {
  const { places, say } = setup;
  const until = performance.now() + seconds * 1_000;
  while (!(await isConfirmed(places.data))) {
    await checkEnd(setup, service, start);
    if (performance.now() >= until) {
      const problem = (await readAgentStatus(places.data))?.problem;
      say(`the agent runs, but has not reached Lumetry yet${problem ? `: ${problem}` : ""}`);
      await leaveToken(setup, setup.packageFolder);
      return;
    }
    await wait(1_000);
  }
  await removeToken(service);
  await forgetOldIdentity(places.data);
  const status = await readAgentStatus(places.data);
  say(`this host is enrolled as ${status?.edgeId}; the token is removed`);
  if (status?.placement) say(`placement: ${status.placement}`);
}

/** Makes the service one of this package, with the staged settings, and answers whether it became well. */
async function takePlace(
  { run, places, say }: Setup,
  request: Request,
  { service, isEnrolled, start }: { service: Service; isEnrolled: boolean; start: Start },
): Promise<boolean> {
  await unschedule(run, places);
  await service.stop();
  if (request.reEnroll) await setIdentityAside(places.data);
  await applySettings(places);
  await service.install();
  await service.setEnvironment(isEnrolled ? {} : tokenVariables(request.token));
  await service.do(["performance", "join", SERVICE_SID]);
  await grantIis({ run, system: places.system, service, say });
  // One that ends at once may be started again by Windows, or wait for a person: both are seen below.
  await service.start().catch((error: Error) => say(error.message));
  return becomesWell(service, places.data, start);
}

/** Installs this package, or puts it in the place of another one, with the settings that were asked for. */
export async function install(setup: Setup, request: Request): Promise<void> {
  const { run, places, packageFolder, say } = setup;
  const service = new Service(run, packageFolder);
  const before = await service.show();
  const previous = before && packageOf(before.command);
  if (before && previous === undefined) {
    throw new SetupError(
      EXIT.failed,
      `a service LumetryAgent that is not ours runs ${before.command}`,
    );
  }
  const isEnrolled = !request.reEnroll && (await isConfirmed(places.data));
  await checkRequest(setup, request, isEnrolled);
  await testPackage(setup);
  await makeFolders(setup, service);
  const changes = await stageSettings(setup, request);
  if (!isEnrolled) await examine(setup);

  const version = (await readFile(win32.join(packageFolder, "VERSION"), "utf8")).trim();
  if (changes && before) say(`settings: ${changes}`);
  const start: Start = { version, since: Date.now() };
  const isWell = await takePlace(setup, request, { service, isEnrolled, start }).catch(
    (error: Error) => {
      say(error.message);
      return false;
    },
  );
  if (!isWell) await rollBack(setup, previous);
  for (const file of [places.settings, places.authority]) await rm(`${file}.old`, { force: true });
  await copyFile(
    win32.join(packageFolder, "uninstall.ps1"),
    win32.join(places.programs, "uninstall.ps1"),
  );
  await forgetOthers(setup);
  say(`Lumetry agent ${version} runs as the service LumetryAgent`);
  if (!isEnrolled) return await waitForEnrollment(setup, service, start, request.waitSeconds);
  await checkEnd(setup, service, start);
  await forgetOldIdentity(places.data);
}
