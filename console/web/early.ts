import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { FIRST_CALLS, SESSION } from "./first-calls.ts";

/** What the bundler tells of a file it wrote. */
export interface Chunk {
  fileName: string;
  isEntry: boolean;
  /** The source that it stands for. */
  facadeModuleId: string | null;
  /** The files that it cannot run without. */
  imports: string[];
}

/** A line of the table of pages. */
const PAGE = /\bpage\(\s*"([^"]+)",\s*\(\) => import\("\.\/([^"]+)"\)/g;

/**
 * Writes a small script that runs before all others are there and asks for the files of the page that
 * the address names, for who is there, and for what that page shows first: else one would be asked for
 * after the other, when the rest has run. Answers its name. Throws when the table of pages is not as
 * this reads it.
 */
export async function writeEarly(
  assets: string,
  chunks: Chunk[],
  tableOfPages: string,
): Promise<string> {
  const needed = (name: string, found = new Set<string>()): Set<string> => {
    if (found.has(name)) return found;
    found.add(name);
    for (const next of chunks.find((each) => each.fileName === name)?.imports ?? []) {
      needed(next, found);
    }
    return found;
  };
  const start = chunks.find(({ isEntry }) => isEntry);
  if (!start) throw new Error("the build has no entry");
  const early = needed(start.fileName);
  const files: string[] = [];
  const numberOf = (name: string) => {
    if (!files.includes(name)) files.push(name);
    return files.indexOf(name);
  };
  const pages = Array.from(tableOfPages.matchAll(PAGE), ([, where = "", source = ""]) => {
    const chunk = chunks.find(({ facadeModuleId }) =>
      facadeModuleId?.replaceAll(path.sep, "/").endsWith(`console/web/src/${source}`),
    );
    if (!chunk) throw new Error(`the build has no ${source}`);
    const own = [...needed(chunk.fileName)].filter((each) => !early.has(each));
    return [where, own.map(numberOf), FIRST_CALLS[where] ?? []] as const;
  });
  if (pages.length !== tableOfPages.match(/^ {2}page\(/gm)?.length) {
    throw new Error("the table of pages is not as early.ts reads it");
  }
  const script = `(${ask})(${[pages, files, SESSION].map((each) => JSON.stringify(each))})`;
  const hash = createHash("sha256").update(script).digest("hex").slice(0, 8).toUpperCase();
  const name = `early-${hash}.js`;
  await writeFile(path.join(assets, name), script);
  return name;
}

/**
 * What it does in the browser; of several pages that fit, the first is taken, as the router does. The
 * answers are for `client/early.ts`, which says by a mark whether somebody is signed in; there is no
 * telling from the cookie, which scripts do not see.
 */
const ask = `(pages, files, session) => {
  const given = location.pathname.replace(/(.)\\/$/, "$1").split("/");
  const fits = (parts) =>
    parts.length === given.length && parts.every((part, at) => part[0] === ":" || part === given[at]);
  const [, needed = [], calls = []] = pages.find(([path]) => fits(path.split("/"))) ?? [];
  for (const number of needed) {
    const link = document.createElement("link");
    link.rel = "modulepreload";
    link.href = "/assets/" + files[number];
    document.head.append(link);
  }
  const call = ([url, body]) =>
    fetch(url, {
      method: "POST",
      redirect: "error",
      signal: AbortSignal.timeout(30000),
      headers: {
        "connect-protocol-version": "1",
        "content-type": "application/proto",
        "lumetry-credential": "cookie",
      },
      body: Uint8Array.from(atob(body), (character) => character.charCodeAt(0)),
    });
  const isPlain = location.search === "" && localStorage.getItem("lumetry.signed-in");
  globalThis.lumetryEarly = new Map(
    [session, ...(isPlain ? calls : [])].map((each) => [each.join(" "), call(each)]),
  );
  for (const answer of lumetryEarly.values()) answer.catch(() => {});
}`;
