import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { Machine } from "../machine.ts";
import { release } from "../releases.ts";
import type { Scenario } from "../scenario.ts";
import { must } from "../shell.ts";
import { install, type Stage, status } from "./stage.ts";

const BINFMT = "/proc/sys/fs/binfmt_misc";
const NAME = "lumetry-test-aarch64";
/** How the kernel knows a program for arm64: its header, and which bits of that count. */
const MAGIC = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`;
const MASK = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;

/** Lets this kernel run programs for arm64 through qemu, in every container too, until disposed of. */
async function emulate(): Promise<AsyncDisposable> {
  const isMounted = await readFile(`${BINFMT}/status`, "utf8").catch(() => "");
  if (isMounted === "") await must("mount", ["-t", "binfmt_misc", "none", BINFMT]);
  await writeFile(
    `${BINFMT}/register`,
    `:${NAME}:M::${MAGIC}:${MASK}:/usr/bin/qemu-aarch64-static:F`,
  );
  return { [Symbol.asyncDispose]: () => writeFile(`${BINFMT}/${NAME}`, "-1") };
}

export function arm64Scenarios(stage: Stage): Scenario[] {
  return [
    {
      name: "the command installs the package for arm64 on a host with that processor, and its service works",
      async run() {
        await using _emulation = await emulate();
        await using machine = await Machine.boot("arm64");
        await machine.put(
          "/usr/sbin/uname",
          '#!/bin/sh\n[ "$1" = -m ] && echo aarch64 || exec /usr/bin/uname "$@"\n',
          0o755,
        );
        await release(stage.packages, "1.0.0", { target: "linux-arm64" });
        const { token } = await stage.profile();
        const flags = `--backend https://localhost:${new URL(stage.server.url).port} --enroll-token ${token} --wait 120`;
        const { code, errors } = await install(stage, machine, flags);
        assert.equal(code, 0, errors);
        assert.match(errors, /lumetry-agent-1\.0\.0-linux-arm64\.tar\.gz/);
        assert.match(errors, /connected as/);
        assert.equal((await status(machine)).state, "connected");
        await machine.must("systemctl stop lumetry-agent");
        assert.equal(
          await machine.must("systemctl show --property Result --value lumetry-agent"),
          "success",
        );
      },
    },
  ];
}
