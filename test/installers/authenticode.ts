/** Signatures on what runs on Windows: made, verified, and found out when somebody changes a file. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Assembled, assemble } from "../../packaging/assemble.ts";
import { sha256 } from "../../packaging/checksums.ts";
import { layOut, pack } from "../../packaging/release.ts";
import type { Signer } from "../../packaging/windows/authenticode.ts";
import { targetOf } from "./releases.ts";
import type { Layer, Scenario } from "./scenario.ts";
import { must, run } from "./shell.ts";
import { makeSigncode } from "./wine.ts";

const PUBLISHER = "Example Deployment";
const SIGNED = /\.(exe|dll|node|ps1|psd1)$/;
const RUNTIME = "bin/node.exe";

/** A certificate to sign with, of an authority made for this. */
async function makeSigner(folder: string): Promise<Signer & { authorityFile: string }> {
  const at = (name: string) => path.join(folder, name);
  const make = (words: string[]) => must("openssl", words, { cwd: folder });
  const subject = (name: string) => ["-subj", `/O=Example/CN=${name}`];
  const fresh = ["-newkey", "rsa:2048", "-nodes", "-days", "30"];
  await make([
    "req",
    "-x509",
    ...fresh,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    ...subject("Authority"),
  ]);
  await make([
    "req",
    ...fresh.slice(0, 3),
    "-keyout",
    "signer.key",
    "-out",
    "signer.csr",
    ...subject(PUBLISHER),
  ]);
  await writeFile(at("signer.cnf"), "keyUsage=digitalSignature\nextendedKeyUsage=codeSigning\n");
  const issue = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"];
  await make([
    "x509",
    "-req",
    "-in",
    "signer.csr",
    ...issue,
    "-extfile",
    "signer.cnf",
    "-out",
    "signer.pem",
  ]);
  return {
    certificateFile: at("signer.pem"),
    keyFile: at("signer.key"),
    authorityFile: at("ca.pem"),
  };
}

const filesOf = ({ entries }: Assembled) =>
  entries.flatMap((entry) => ("data" in entry ? [entry] : []));

export const authenticode: Layer = {
  name: "Authenticode",
  groups: ["authenticode"],
  tools: {
    debootstrap: "debootstrap",
    openssl: "openssl",
    unzip: "unzip",
    "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64",
  },
  async open() {
    await using opened = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(tmpdir(), "lumetry-authenticode-"));
    opened.defer(() => rm(folder, { recursive: true }));
    const osslsigncode = await makeSigncode(folder);
    const before = process.env.PATH;
    opened.defer(() => {
      process.env.PATH = before;
    });
    process.env.PATH = `${folder}:${before}`;
    const signer = await makeSigner(folder);
    const target = targetOf("win-x64");
    const build = (by: Signer | undefined) => assemble("agent", target, "1.0.0", by);
    const signed = await build(signer);

    const verify = async (name: string, data: Buffer): Promise<boolean> => {
      const file = path.join(folder, `verified-${path.basename(name)}`);
      await writeFile(file, data);
      const words = ["verify", "-CAfile", signer.authorityFile, "-in", file];
      const { code, output } = await run(osslsigncode, words);
      return code === 0 && output.includes(`CN=${PUBLISHER}`);
    };

    const scenarios: Scenario[] = [
      {
        name: "authenticode: every program and script bears the publisher's signature, but Node's its makers'",
        async run() {
          const files = filesOf(signed).filter((file) => SIGNED.test(file.path));
          assert.ok(files.length >= 8, files.map((file) => file.path).join());
          for (const file of files) {
            assert.equal(await verify(file.path, file.data), file.path !== RUNTIME, file.path);
          }
          const runtime = filesOf(signed).find((file) => file.path === RUNTIME);
          assert.ok(runtime?.data.includes("OpenJS Foundation"));
        },
      },
      {
        name: "authenticode: a byte changed in any signed file is found, and so is a missing signature",
        async run() {
          for (const file of filesOf(signed)) {
            if (!SIGNED.test(file.path) || file.path === RUNTIME) continue;
            const changed = Buffer.from(file.data);
            const at = Math.min(1_000, Math.floor(changed.length / 3));
            changed[at] = (changed[at] ?? 0) ^ 1;
            assert.equal(await verify(file.path, changed), false, file.path);
          }
          for (const file of filesOf(await build(undefined))) {
            if (!SIGNED.test(file.path) || file.path === RUNTIME) continue;
            assert.equal(await verify(file.path, file.data), false, `${file.path}, unsigned`);
          }
        },
      },
      {
        name: "authenticode: the signed manifest holds every other file by its hash",
        async run() {
          const files = filesOf(signed);
          const manifest = String(files.find((file) => file.path === "manifest.psd1")?.data);
          const listed = new Map(
            [...manifest.matchAll(/^ {8}'([^']+)' = '([0-9a-f]{64})'\r$/gm)].map(
              ([, name = "", hash = ""]) => [name, hash],
            ),
          );
          const others = files.filter(
            (file) => file.path !== "manifest.psd1" && file.path !== "SHA256SUMS",
          );
          assert.deepEqual([...listed.keys()].sort(), others.map((file) => file.path).sort());
          for (const file of others) assert.equal(listed.get(file.path), sha256(file.data));
        },
      },
      {
        name: "authenticode: the same package twice is the same bytes; it unpacks, and its bootstrap knows its signer and checksum",
        async run() {
          const [one, two] = await Promise.all(
            [signed, await build(signer)].map((each) => pack(each, target, 1)),
          );
          const archive = one?.[0];
          assert.ok(archive && one && two?.[0]);
          assert.equal(sha256(archive.data), sha256(two[0].data));
          const file = path.join(folder, archive.path);
          await writeFile(file, archive.data);
          await must("unzip", ["-q", "-t", file]);
          const released = await layOut(one, { version: "1.0.0", signer });
          const bootstrap = String(released.find((each) => each.path === "install.ps1")?.data);
          assert.match(bootstrap, /^\$SIGNER = 'Example Deployment'\r$/m);
          assert.ok(bootstrap.includes(`${sha256(archive.data)}  ${archive.path}`));
        },
      },
    ];
    const stack = opened.move();
    return { scenarios, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
};
