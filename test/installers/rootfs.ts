import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { must } from "./shell.ts";

export const cache = path.join(
  process.env.XDG_CACHE_HOME || path.join(homedir(), ".cache"),
  "lumetry",
  "installers",
);

/** As little as a host has that boots systemd: no xz, no wget, no unzip, no Node. */
const INCLUDE = "systemd,systemd-sysv,dbus,ca-certificates,curl,procps,sudo";

/** The processor that programs are for; with arm64 the system itself stays what this machine can run. */
export type Processor = "x64" | "arm64";

/** Makes something once; a crash half-way leaves a draft, which the next attempt clears away. */
async function once(name: string, make: (draft: string) => Promise<void>): Promise<string> {
  const place = path.join(cache, name);
  if (existsSync(place)) return place;
  await mkdir(cache, { recursive: true });
  const draft = `${place}.draft`;
  await rm(draft, { recursive: true, force: true });
  await make(draft);
  await rename(draft, place);
  return place;
}

/** The system that machines begin with, made once and never changed: each lays its own files over it. */
export async function baseSystem(processor: Processor): Promise<string> {
  const base = await once("rootfs-bookworm-x64", async (draft) => {
    await must("debootstrap", ["--variant=minbase", `--include=${INCLUDE}`, "bookworm", draft]);
  });
  if (processor === "x64") return base;
  // All that a program for arm64 needs of a system is its two libraries.
  return once("rootfs-bookworm-arm64", async (draft) => {
    await must("cp", ["-a", base, draft]);
    const install =
      "dpkg --add-architecture arm64 && apt-get -q update && apt-get -q -y install --no-install-recommends libc6:arm64 libstdc++6:arm64";
    await must("chroot", [draft, "sh", "-c", install]);
  });
}
