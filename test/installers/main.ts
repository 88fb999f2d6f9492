/**
 * `npm run test:installers`: builds packages and installs them for real. Takes root, Debian and half a
 * gigabyte of cache; installs the tools that are missing. Words on the command line choose scenarios by
 * how their names begin: "life", "fault: two".
 */
import { authenticode } from "./authenticode.ts";
import { images } from "./images.ts";
import { linux } from "./linux.ts";
import { packages } from "./packages.ts";
import type { Layer } from "./scenario.ts";
import { must, run } from "./shell.ts";
import { start } from "./start.ts";
import { staticChecks } from "./static.ts";
import { windows } from "./windows.ts";

const LAYERS: Layer[] = [staticChecks, packages, authenticode, images, linux, windows, start];

const words = process.argv.slice(2);
const isChosen = (name: string) =>
  words.length === 0 || words.some((word) => name.startsWith(word) || word.startsWith(`${name}:`));

async function installTools(layer: Layer): Promise<void> {
  const missing: string[] = [];
  for (const [tool, debian] of Object.entries(layer.tools)) {
    const isThere = tool.startsWith("/") ? "test -e" : "command -v";
    const { code } = await run("sh", ["-c", `${isThere} ${tool}`]);
    if (code !== 0) missing.push(debian);
  }
  if (missing.length === 0) return;
  console.log(`installing ${missing.join(", ")}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = ["-o", "DPkg::Lock::Timeout=600", "-q", "-y"];
  await must("apt-get", [...apt, "update"], { environment });
  await must("apt-get", [...apt, "install", "--no-install-recommends", ...missing], {
    environment,
  });
}

let [passed, failed] = [0, 0];
const begun = performance.now();
for (const layer of LAYERS.filter(({ groups }) => groups.some(isChosen))) {
  console.log(`\n${layer.name}`);
  await installTools(layer);
  await using opened = await layer.open();
  for (const { name, run: runScenario } of opened.scenarios) {
    if (!isChosen(name)) continue;
    const start = performance.now();
    const seconds = () => ((performance.now() - start) / 1000).toFixed(1);
    try {
      await runScenario();
      passed += 1;
      console.log(`✔ ${name} (${seconds()} s)`);
    } catch (error) {
      failed += 1;
      console.log(`✘ ${name} (${seconds()} s)\n${(error as Error).stack}`);
    }
  }
}
console.log(
  `\n${passed} passed, ${failed} failed in ${Math.round((performance.now() - begun) / 1000)} s`,
);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
