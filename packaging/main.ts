/** `npm run package`: builds what is installed on machines. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type ComponentName, componentNames } from "./components.ts";
import { buildRelease } from "./release.ts";
import { root } from "./root.ts";
import { makeSigningKey } from "./signing.ts";
import { TARGETS } from "./targets.ts";
import type { Signer } from "./windows/authenticode.ts";

const HELP = `Usage: npm run package -- [options]

Builds self-contained packages into a folder that a server hands out (--packages-dir), or any web server.

  --out DIR           where to, "dist/packages" unless given; what was there is replaced
  --component NAME    ${componentNames.join(", ")}; all unless given, may be repeated
  --target NAME       ${TARGETS.map(({ name }) => name).join(", ")}; all unless given, may be repeated
  --images            build container images of collector and server, too, in the OCI layout; takes Debian's apt
  --base-url URL      where hosts will find this folder, for the installers in it; a server fills in its own
  --signing-key FILE  sign SHA256SUMS with this Ed25519 key in PEM form
  --authenticode-certificate FILE, --authenticode-key FILE, --timestamp-url URL
                      sign what runs on Windows with this code-signing certificate (PEM, with those that vouch for
                      it) and key, attested by this time stamping authority
  --level N           how hard to compress, 1 to 9; 9 unless given
  --make-key FILE     only make a key to sign with, and FILE.pub to check with
`;

function chosen<T extends string>(given: string[] | undefined, known: readonly T[], flag: string) {
  const wrong = given?.find((each) => !known.includes(each as T));
  if (wrong !== undefined) throw new Error(`${flag} ${wrong} is none of ${known.join(", ")}`);
  return known.filter((each) => !given || given.includes(each));
}

function signerOf(values: Record<string, unknown>): Signer | undefined {
  const [certificateFile, keyFile, timestampUrl] = [
    values["authenticode-certificate"],
    values["authenticode-key"],
    values["timestamp-url"],
  ];
  if (typeof certificateFile === "string" && typeof keyFile === "string") {
    return { certificateFile, keyFile, timestampUrl: timestampUrl as string | undefined };
  }
  if (certificateFile === undefined && keyFile === undefined && timestampUrl === undefined)
    return undefined;
  throw new Error("--authenticode-certificate and --authenticode-key belong together");
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: path.join(root, "dist/packages") },
      component: { type: "string", multiple: true },
      target: { type: "string", multiple: true },
      images: { type: "boolean", default: false },
      "base-url": { type: "string" },
      "signing-key": { type: "string" },
      "authenticode-certificate": { type: "string" },
      "authenticode-key": { type: "string" },
      "timestamp-url": { type: "string" },
      "make-key": { type: "string" },
      level: { type: "string", default: "9" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (values["make-key"] !== undefined) {
    makeSigningKey(values["make-key"]);
    process.stdout.write(`${values["make-key"]} is secret; ${values["make-key"]}.pub is for all\n`);
    return;
  }
  if (!/^[1-9]$/.test(values.level)) throw new Error("--level takes a number from 1 to 9");
  const components: ComponentName[] = chosen(values.component, componentNames, "--component");
  const names = chosen(
    values.target,
    TARGETS.map(({ name }) => name),
    "--target",
  );
  const out = path.resolve(values.out);
  const files = await buildRelease({
    components,
    targets: TARGETS.filter(({ name }) => names.includes(name)),
    level: Number(values.level),
    images: values.images,
    baseUrl: values["base-url"],
    signingKeyFile: values["signing-key"],
    signer: signerOf(values),
    onBuilt: (line) => process.stdout.write(`${line}\n`),
  });
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  for (const { path: name, data } of files) await writeFile(path.join(out, name), data);
  process.stdout.write(`${files.length} files in ${out}\n`);
  if (names.includes("win-x64") && values["authenticode-key"] === undefined) {
    process.stdout.write(
      "What runs on Windows is not signed, and its setup will refuse it: give --authenticode-certificate and --authenticode-key.\n",
    );
  }
  if (values["signing-key"] === undefined) {
    process.stdout.write("They are not signed: give --signing-key for a release.\n");
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`npm run package: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
