/** What packages and images hold, and that they hold it every time. */
import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { assemble, projectVersion } from "../../packaging/assemble.ts";
import { sha256 } from "../../packaging/checksums.ts";
import { componentNames } from "../../packaging/components.ts";
import { pack } from "../../packaging/release.ts";
import { TARGETS } from "../../packaging/targets.ts";
import type { Layer } from "./scenario.ts";
import { must, run } from "./shell.ts";

const linuxTargets = TARGETS.filter(({ name }) => name.startsWith("linux-"));
const MACHINES: Record<string, string> = { x64: "X86-64", arm64: "AArch64" };
/** Of the processor that this is not: what its programs load. */
const FOREIGN_ROOT = "/usr/aarch64-linux-gnu";
const FOREIGN = ["-L", FOREIGN_ROOT];

export const packages: Layer = {
  name: "Packages",
  groups: ["package"],
  tools: {
    readelf: "binutils",
    openssl: "openssl",
    "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64",
    "qemu-aarch64-static": "qemu-user-static",
    "aarch64-linux-gnu-ld": "binutils-aarch64-linux-gnu",
    [`${FOREIGN_ROOT}/lib/ld-linux-aarch64.so.1`]: "libc6-arm64-cross",
    [`${FOREIGN_ROOT}/lib/libstdc++.so.6`]: "libstdc++6-arm64-cross",
  },
  async open() {
    const folder = await mkdtemp(path.join(tmpdir(), "lumetry-packages-"));
    const at = (...names: string[]) => path.join(folder, ...names);
    const build = (out: string, ...flags: string[]) =>
      must(process.execPath, ["packaging/main.ts", "--out", at(out), "--level", "1", ...flags]);
    const scenarios = [
      {
        name: "package: built twice, every file is the same to the last bit, signature included",
        async run() {
          await must(process.execPath, ["packaging/main.ts", "--make-key", at("key")]);
          const flags = ["--component", "agent", "--signing-key", at("key")];
          await build("one", ...flags);
          await build("two", ...flags);
          const names = await readdir(at("one"));
          assert.ok(names.length >= 8, names.join());
          for (const name of names) {
            const [one, two] = await Promise.all([
              readFile(at("one", name)),
              readFile(at("two", name)),
            ]);
            assert.equal(sha256(one), sha256(two), name);
          }
        },
      },
      {
        name: "package: a release is checked with openssl and sha256sum, and one changed bit is found",
        async run() {
          const check = () =>
            run(
              "sh",
              [
                "-c",
                "openssl pkeyutl -verify -rawin -pubin -inkey ../key.pub -in SHA256SUMS -sigfile SHA256SUMS.sig && sha256sum --check --quiet SHA256SUMS",
              ],
              { cwd: at("one") },
            );
          assert.equal((await check()).code, 0);
          const file = at("one", "install.sh");
          const good = await readFile(file);
          await writeFile(file, `${good} `);
          assert.notEqual((await check()).code, 0);
          await writeFile(file, good);
          const sums = await readFile(at("one", "SHA256SUMS"));
          const key = createPublicKey(await readFile(at("one", "signing-key.pub")));
          const signature = await readFile(at("one", "SHA256SUMS.sig"));
          assert.ok(verify(null, sums, key, signature));
          assert.ok(!verify(null, Buffer.concat([sums, Buffer.from("\n")]), key, signature));
        },
      },
      ...linuxTargets.flatMap((target) =>
        componentNames.map((component) => ({
          name: `package: ${component} for ${target.name}: whole, of one processor, and about nobody`,
          async run() {
            const assembled = await assemble(component, target);
            const { entries, name, sbom } = assembled;
            const [archive] = await pack(assembled, target, 1);
            await writeFile(at("a.tar.gz"), archive?.data ?? "");
            await must("tar", ["-xzf", at("a.tar.gz"), "-C", folder]);
            const unpacked = at(name);
            await must("sha256sum", ["--check", "--quiet", "--strict", "SHA256SUMS"], {
              cwd: unpacked,
            });
            const listed = (await readFile(path.join(unpacked, "SHA256SUMS"), "utf8"))
              .trim()
              .split("\n").length;
            const files = entries.filter((entry) => "data" in entry).length;
            assert.equal(listed, files - 1, "SHA256SUMS names every file but itself");

            const machine = MACHINES[target.name.split("-")[1] ?? ""];
            for (const program of ["bin/node", "app/classic-level.node"]) {
              const facts = await must("readelf", ["-hdV", path.join(unpacked, program)]);
              assert.match(facts, new RegExp(`Machine: +.*${machine}`, "i"), program);
              assert.doesNotMatch(facts, /libatomic/);
              const versions = [...facts.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) =>
                Number(minor),
              );
              assert.ok(
                Math.max(...versions) <= 28,
                `${program} needs glibc 2.${Math.max(...versions)}`,
              );
            }

            const { components } = JSON.parse(sbom);
            for (const part of components) {
              assert.ok(
                part.hashes[0].content.length === 128 && part.licenses.length > 0,
                part.name,
              );
              assert.ok(
                entries.some((entry) => entry.path.startsWith(`licenses/${part.name}/`)),
                part.name,
              );
            }
            assert.ok(
              components.some((part: { name: string }) => part.name === target.runtime.package),
            );
            assert.ok((archive?.data.length ?? 0) < (component === "server" ? 110e6 : 60e6));

            // Neither a secret nor anything of the machine that built it.
            const personal = [
              hostname(),
              process.cwd(),
              process.env.USER ?? "",
              process.env.HOME ?? "",
            ].filter((word) => word.length > 4);
            for (const entry of entries) {
              if (
                !("data" in entry) ||
                entry.path.startsWith("bin/node") ||
                entry.path.includes("node_modules/")
              )
                continue;
              const text = entry.data.toString("latin1");
              assert.doesNotMatch(text, /\blmt[a-z]{2}_[A-Za-z0-9]{30,}/, entry.path);
              assert.doesNotMatch(
                text,
                /BEGIN (EC |RSA |ENCRYPTED )?PRIVATE KEY-----\n[A-Za-z0-9+/]{20}/,
                entry.path,
              );
              for (const word of personal)
                assert.ok(!text.includes(word), `${entry.path} holds ${word}`);
            }
            if (component === "agent") {
              const isForeign = !target.name.endsWith(process.arch);
              const node = path.join(unpacked, "bin/node");
              const argv = [path.join(unpacked, "app/agent.mjs"), "self-test"];
              const said = isForeign
                ? await must("qemu-aarch64-static", [...FOREIGN, node, ...argv])
                : await must(node, argv);
              assert.match(
                said,
                new RegExp(`^lumetry agent ${projectVersion}: \\d+ points kept on disk`),
              );
            }
            await rm(unpacked, { recursive: true });
          },
        })),
      ),
    ];
    return {
      scenarios,
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  },
};
