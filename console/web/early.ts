import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";

/** What esbuild tells of the files it wrote. */
export type Outputs = Record<
  string,
  { entryPoint?: string; cssBundle?: string; imports: { path: string; kind: string }[] }
>;

/** A line of the table of pages. */
const PAGE = /\bpage\(\s*"([^"]+)",\s*\(\) => import\("\.\/([^"]+)"\)/g;

/**
 * Writes a small script that runs before all others are there and asks for the files of the page that
 * the address names: else they would be found one after the other, when the rest has run. Answers its
 * name. Throws when the table of pages is not as this reads it.
 */
export async function writeEarly(
  assets: string,
  outputs: Outputs,
  tableOfPages: string,
): Promise<string> {
  const all = Object.entries(outputs);
  const startOf = (source: string) =>
    all.find(([, { entryPoint }]) => entryPoint?.endsWith(source));
  const needed = (file: string, found = new Set<string>()): Set<string> => {
    if (found.has(file)) return found;
    found.add(file);
    for (const { path: next, kind } of outputs[file]?.imports ?? []) {
      if (kind === "import-statement") needed(next, found);
    }
    return found;
  };
  const [start] = startOf("console/web/src/main.tsx") ?? [];
  if (!start) throw new Error("the build has no entry");
  const early = needed(start);
  const files: string[] = [];
  const numberOf = (file: string) => {
    const name = path.basename(file);
    if (!files.includes(name)) files.push(name);
    return files.indexOf(name);
  };
  const pages = Array.from(tableOfPages.matchAll(PAGE), ([, where = "", source = ""]) => {
    const [file] = startOf(`console/web/src/${source}`) ?? [];
    if (!file) throw new Error(`the build has no ${source}`);
    const own = [...needed(file)].filter((each) => !early.has(each));
    return [where, own.map(numberOf)] as const;
  });
  if (pages.length !== tableOfPages.match(/^ {2}page\(/gm)?.length) {
    throw new Error("the table of pages is not as early.ts reads it");
  }
  const script = `(${ask})(${JSON.stringify(pages)},${JSON.stringify(files)})`;
  const hash = createHash("sha256").update(script).digest("hex").slice(0, 8).toUpperCase();
  const name = `early-${hash}.js`;
  await writeFile(path.join(assets, name), script);
  return name;
}

/** What it does in the browser; of several pages that fit, the first is taken, as the router does. */
const ask = `(pages, files) => {
  const given = location.pathname.replace(/(.)\\/$/, "$1").split("/");
  const fits = (parts) =>
    parts.length === given.length && parts.every((part, at) => part[0] === ":" || part === given[at]);
  const [, needed = []] = pages.find(([path]) => fits(path.split("/"))) ?? [];
  for (const number of needed) {
    const link = document.createElement("link");
    link.rel = "modulepreload";
    link.href = "/assets/" + files[number];
    document.head.append(link);
  }
}`;
