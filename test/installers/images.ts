/** Container images, unpacked and run by tools that need no daemon. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { sha256 } from "../../packaging/checksums.ts";
import { buildImages } from "../../packaging/images/build.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import type { Layer } from "./scenario.ts";
import { must, run } from "./shell.ts";

const VERSION = "1.0.0";

export const images: Layer = {
  name: "Container images",
  groups: ["image"],
  tools: { umoci: "umoci", runc: "runc", skopeo: "skopeo" },
  async open() {
    const folder = await mkdtemp(path.join(tmpdir(), "lumetry-images-"));
    const at = (...names: string[]) => path.join(folder, ...names);

    /** Unpacks an image, and makes it run on this machine's network with these flags. */
    const prepare = async (component: string, flags: string[]) => {
      const bundle = at(`bundle-${component}`);
      const image = `${at(component)}:lumetry-${component}:${VERSION}`;
      await must("umoci", ["unpack", "--image", image, bundle]);
      const file = path.join(bundle, "config.json");
      const config = JSON.parse(await readFile(file, "utf8"));
      config.process.terminal = false;
      config.process.args.push(...flags);
      config.linux.namespaces = config.linux.namespaces.filter(
        ({ type }: { type: string }) => type !== "network",
      );
      // As engines do with a fresh volume: it begins as what the image has there.
      config.mounts = config.mounts.filter(
        ({ destination }: { destination: string }) => !destination.startsWith("/var/lib/lumetry"),
      );
      await writeFile(file, JSON.stringify(config));
      return { bundle, config };
    };

    const scenarios = [
      {
        name: "image: images are built twice alike, and every blob is what its name says",
        async run() {
          const options = {
            components: ["collector", "server"],
            targets: ["linux-x64"],
            level: 1,
            version: VERSION,
          } as const;
          const built = await buildImages(options);
          const again = await buildImages({ ...options, components: ["collector"] });
          assert.equal(
            sha256(again[0]?.data ?? Buffer.alloc(0)),
            sha256(built[0]?.data ?? Buffer.alloc(0)),
          );
          for (const { path: name, data } of built) {
            const component = name.split("-")[1] ?? "";
            await mkdir(at(component));
            await writeFile(at(name), data);
            await must("tar", ["-xf", at(name), "-C", at(component)]);
            await must(
              "sh",
              [
                "-c",
                'cd blobs/sha256 && for each in *; do echo "$each  $each"; done | sha256sum --check --quiet',
              ],
              { cwd: at(component) },
            );
            const inspected = await must("skopeo", [
              "inspect",
              `oci:${at(component)}:lumetry-${component}:${VERSION}`,
            ]);
            assert.match(inspected, /"Architecture": "amd64"/);
            assert.doesNotMatch(
              data.toString("latin1", 0, 100_000),
              /lmt[a-z]{2}_[A-Za-z0-9]{30,}/,
            );
          }
        },
      },
      {
        name: "image: a server runs from its image, as nobody's root, with its own database, and stops when told",
        async run() {
          const port = await findFreePort();
          const { bundle, config } = await prepare("server", ["--listen", `127.0.0.1:${port}`]);
          assert.equal(config.process.user.uid, 10001);
          const name = `lumetry-${process.pid}`;
          const ended = run("runc", ["run", "--bundle", bundle, name]);
          await eventually("it is ready", async () => {
            const { output } = await run("curl", ["-sk", `https://127.0.0.1:${port}/readyz`]);
            return output.includes("ready");
          });
          const page = await must("curl", [
            "-sk",
            "-H",
            "accept: text/html",
            `https://127.0.0.1:${port}/`,
          ]);
          assert.match(page, /<!doctype html>/i);
          await must("runc", ["kill", name, "TERM"]);
          assert.equal((await ended).code, 0);
        },
      },
      {
        name: "image: a collector runs from its image",
        async run() {
          const { bundle } = await prepare("collector", [
            "doctor",
            "--server",
            "https://127.0.0.1:1",
          ]);
          const { output, code } = await run("runc", [
            "run",
            "--bundle",
            bundle,
            `lumetry-collector-${process.pid}`,
          ]);
          assert.equal(code, 1);
          assert.match(output, /ok +disk/);
          assert.match(output, /ECONNREFUSED/);
        },
      },
    ];
    return { scenarios, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
  },
};
