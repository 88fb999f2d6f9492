import { readFile } from "node:fs/promises";
import path from "node:path";
import { build, type Plugin } from "esbuild";
import type { Component } from "./components.ts";
import { root } from "./root.ts";

/** What a bundle is made of: its text, and the files that went into it, relative to the project. */
export interface Bundle {
  name: string;
  code: Buffer;
  inputs: string[];
}

/** Where the bundles lie in a package, one level below its root. */
const BANNER = `import { createRequire as __lumetryRequire } from "node:module";
const require = __lumetryRequire(import.meta.url);
const __lumetryModule = (file) => new URL("../" + file, import.meta.url).href;`;

/**
 * A module of ours finds files by its own address (package.json, the console, scripts). In a bundle
 * each keeps the address that it has in the project, below the root of the package; but a program
 * that another one starts, such as a thread, is found among the bundles.
 */
const keepAddresses = (programs: Component["programs"]): Plugin => ({
  name: "keep-addresses",
  setup(builder) {
    const names = new Map(Object.entries(programs).map(([name, entry]) => [entry, name]));
    builder.onLoad({ filter: /\.(ts|js)$/ }, async ({ path: file }) => {
      const place = path.relative(root, file).replaceAll(path.sep, "/");
      if (place.startsWith("..") || place.split("/").includes("node_modules")) return undefined;
      const address = (found: string) => `__lumetryModule(${JSON.stringify(found)})`;
      const text = await readFile(file, "utf8");
      return {
        loader: file.endsWith(".ts") ? "ts" : "js",
        contents: text
          .replaceAll(
            /new URL\("(\.[^"]+\.ts)", import\.meta\.url\)/g,
            (whole, relative: string) => {
              const name = names.get(path.posix.join(path.posix.dirname(place), relative));
              return name === undefined ? whole : `new URL(${address(`app/${name}.mjs`)})`;
            },
          )
          .replaceAll("import.meta.url", address(place)),
      };
    });
  },
});

/** LevelDB's addon is looked for beside the bundle, and nowhere else. */
const nativeBeside: Plugin = {
  name: "native-beside",
  setup(builder) {
    builder.onLoad({ filter: /classic-level[\\/]binding\.js$/ }, () => ({
      loader: "js",
      contents: `const loaded = { exports: {} };
process.dlopen(loaded, require("node:url").fileURLToPath(__lumetryModule("app/classic-level.node")));
module.exports = loaded.exports;`,
    }));
  },
};

/** One file for each program of a component; nothing of the machine that builds is in it. */
export async function bundle(component: Component): Promise<Bundle[]> {
  const external = [
    "pg-native",
    ...component.packages.filter((name) => !name.includes("<platform>")),
  ];
  return Promise.all(
    Object.entries(component.programs).map(async ([name, entry]) => {
      const { outputFiles, metafile } = await build({
        absWorkingDir: root,
        entryPoints: [entry],
        bundle: true,
        write: false,
        metafile: true,
        platform: "node",
        target: "node24",
        format: "esm",
        banner: { js: BANNER },
        external,
        minify: true,
        keepNames: true,
        legalComments: "none",
        logLevel: "error",
        plugins: [keepAddresses(component.programs), nativeBeside],
      });
      const [output] = outputFiles;
      if (!output) throw new Error(`esbuild made nothing of ${entry}`);
      return { name, code: Buffer.from(output.contents), inputs: Object.keys(metafile.inputs) };
    }),
  );
}
