import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import path from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setEnvironmentData } from "node:worker_threads";

/**
 * Node strips no types below node_modules, so that a package installed as a dependency has to do
 * it for its own files, but not for those of packages inside it. To be imported before them.
 */
const root = path.dirname(import.meta.dirname);
const inside = `${pathToFileURL(root).href}/`;
registerHooks({
  load(url, context, next) {
    const own = url.startsWith(inside) && !url.slice(inside.length).includes("node_modules/");
    if (!own || !url.endsWith(".ts")) return next(url, context);
    const file = fileURLToPath(url);
    return {
      format: "module",
      source: stripQuietly(readFileSync(file, "utf8"), path.relative(root, file)),
      shortCircuit: true,
    };
  },
});
// It holds for this thread only: others have to import it as well.
setEnvironmentData("lumetry.import", import.meta.url);

/** Without the warning that stripping by hand is experimental: nobody who reads it can act on it. */
function stripQuietly(source, name) {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(source, { sourceUrl: name });
  } finally {
    process.emitWarning = emitWarning;
  }
}
