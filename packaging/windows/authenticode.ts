import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { isPublisherName } from "../../server/packages/bootstrap.ts";
import { epochSeconds } from "../entry.ts";
import { runTool } from "./tools.ts";

/** How a deployment signs what runs on Windows. */
export interface Signer {
  /** In PEM form: the certificate, then those that vouch for it. */
  certificateFile: string;
  keyFile: string;
  /** Of an authority that attests the time, so that signatures outlive the certificate. */
  timestampUrl?: string | undefined;
}

const OSSLSIGNCODE = "osslsigncode";
/** Older ones cannot sign scripts; Debian 12 has a newer one in its backports. */
const LEAST_VERSION = [2, 6] as const;

/** Whom setup has to find in a signature: the common name of the certificate. */
export async function publisherOf({ certificateFile }: Signer): Promise<string> {
  const { subject } = new X509Certificate(await readFile(certificateFile));
  const name = /^CN=(.+)$/m.exec(subject)?.[1];
  if (!name) throw new Error(`${certificateFile} names nobody: its subject has no common name`);
  if (!isPublisherName(name)) {
    throw new Error(
      `the name in ${certificateFile} holds quotes, or letters that are not ASCII, which installers cannot hold: sign with a certificate of a plainer name`,
    );
  }
  return name;
}

async function checkTool(): Promise<void> {
  const words = await runTool(OSSLSIGNCODE, ["--version"], OSSLSIGNCODE);
  const [, major, minor] = /osslsigncode (\d+)\.(\d+)/.exec(words) ?? [];
  const [leastMajor, leastMinor] = LEAST_VERSION;
  const isEnough =
    Number(major) > leastMajor || (Number(major) === leastMajor && Number(minor) >= leastMinor);
  if (isEnough) return;
  throw new Error(
    `osslsigncode ${major}.${minor} cannot sign scripts: version ${LEAST_VERSION.join(".")} or later is needed (Debian 12 has one in its backports)`,
  );
}

/** Signs a program or script; the name tells osslsigncode which of them it is. */
export async function signFile(name: string, data: Buffer, signer: Signer): Promise<Buffer> {
  await checkTool();
  const work = await mkdtemp(path.join(tmpdir(), "lumetry-sign-"));
  const [bare, signed] = ["bare", "signed"].map((each) =>
    path.join(work, `${each}-${path.basename(name)}`),
  );
  if (!bare || !signed) throw new Error("no place to sign in");
  try {
    await writeFile(bare, data);
    const { certificateFile, keyFile, timestampUrl } = signer;
    await runTool(
      OSSLSIGNCODE,
      [
        ...[
          "sign",
          "-h",
          "sha256",
          "-certs",
          certificateFile,
          "-key",
          keyFile,
          "-n",
          "Lumetry Agent",
        ],
        // The time that the signer claims; the authority's counts where there is one.
        ...["-time", String(epochSeconds)],
        ...(timestampUrl === undefined ? [] : ["-ts", timestampUrl]),
        ...["-in", bare, "-out", signed],
      ],
      OSSLSIGNCODE,
    );
    return await readFile(signed);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
