import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { runTool } from "../tools.ts";

const TOOLS = "gcc-mingw-w64-x86-64";
const MINGW = "x86_64-w64-mingw32";
const WARNINGS = ["-Wall", "-Wextra", "-Werror"];
/** Bytes that do not depend on when and where; addresses that attackers cannot guess. */
const LINKING = [
  "-static",
  "-s",
  "-Wl,--no-insert-timestamp",
  "-Wl,--dynamicbase,--high-entropy-va,--nxcompat",
];
const LIBRARIES = ["-lole32", "-loleaut32", "-lwbemuuid", "-lnetapi32", "-ladvapi32"];

/** Throws when this machine has no compiler for Windows. */
export async function checkCompiler(): Promise<void> {
  await runTool(`${MINGW}-gcc`, ["--version"], TOOLS);
}

/** "1.2.3" or "1.2.3-rc.1" as "1,2,3,0". */
function versionNumbers(version: string): string {
  const [, ...numbers] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  if (numbers.length === 0) throw new Error(`${version} is no version`);
  return [...numbers, "0"].join(",");
}

/** Compiles lumetry-svc.exe for 64-bit Windows; the same sources make the same bytes. */
export async function buildHost(version: string): Promise<Buffer> {
  const here = import.meta.dirname;
  const work = await mkdtemp(path.join(tmpdir(), "lumetry-host-"));
  const at = (name: string) => path.join(work, name);
  try {
    await runTool(`${MINGW}-windmc`, ["-h", work, "-r", work, path.join(here, "events.mc")], TOOLS);
    const numbers = [
      `-DVERSION_NUMBERS=${versionNumbers(version)}`,
      `-DVERSION_TEXT=\\"${version}\\"`,
    ];
    const resources = ["-I", work, ...numbers, path.join(here, "resources.rc"), "-O", "coff"];
    await runTool(`${MINGW}-windres`, [...resources, "-o", at("resources.o")], TOOLS);
    const sources = (await readdir(here)).filter((name) => name.endsWith(".c")).sort();
    const compiling = ["-std=c17", "-municode", "-O2", `-ffile-prefix-map=${here}=.`, ...WARNINGS];
    await runTool(
      `${MINGW}-gcc`,
      [
        ...compiling,
        ...["-I", work, "-I", here, `-DVERSION_WIDE=L"${version}"`],
        ...sources.map((name) => path.join(here, name)),
        at("resources.o"),
        ...["-o", at("lumetry-svc.exe")],
        ...LINKING,
        ...LIBRARIES,
      ],
      TOOLS,
    );
    return await readFile(at("lumetry-svc.exe"));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
