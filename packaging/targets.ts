import type { ComponentName } from "./components.ts";
import type { Entry } from "./entry.ts";
import { linuxTarget } from "./linux/target.ts";
import type { Signer } from "./windows/authenticode.ts";
import { windowsTarget } from "./windows/target.ts";

/** An operating system and a processor that packages are built for. */
export interface Target {
  /** As Node names the platform: "linux-x64". */
  name: string;
  components: readonly ComponentName[];
  /** The npm package that holds the runtime, its file in there, and its place in our packages. */
  runtime: { package: string; file: string; path: string };
  /** The LevelDB addon, below the prebuilds of classic-level. */
  addon: string;
  /** Throws, before anything is built, if this machine lacks a tool for it. */
  check?(): Promise<void>;
  /** What a package needs besides on this system: the service's description, scripts. */
  extras(component: ComponentName, version: string): Promise<Entry[]>;
  /** Signs the files of a package in the way of this system, and adds what vouches for the others. */
  seal?(version: string, entries: Entry[], signer: Signer | undefined): Promise<Entry[]>;
  archive: { extension: string; pack(entries: Entry[], level: number): Promise<Buffer> };
}

export const TARGETS: readonly Target[] = [
  linuxTarget("x64", "linux-x64/classic-level.node"),
  linuxTarget("arm64", "linux-arm64/classic-level.armv8.node"),
  windowsTarget,
];
