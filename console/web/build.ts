/**
 * Builds the console for browsers into dist/: `npm run build`, and the launcher when what is there
 * was built from something else. A package brings dist/ and no sources.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { commentsPlugin } from "./comments.ts";
import { descriptorsPlugin } from "./descriptors.ts";
import { type Chunk, writeEarly } from "./early.ts";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(path.dirname(here));
const dist = path.join(here, "dist");
/** Everything that the result depends on; the lock file names the versions of what is bundled. */
const INPUTS = [
  "console/web/src",
  "console/web/index.html",
  "console/web/build.ts",
  "console/web/comments.ts",
  "console/web/early.ts",
  "console/web/first-calls.ts",
  "console/web/descriptors.ts",
  "gen",
];
const MARK = "built-from";

/** Builds unless dist/ is what the sources say. Says whether it did. Rejects in words for people. */
export async function buildIfStale(): Promise<boolean> {
  const hash = hashInputs();
  if ((await readMark()) === hash) return false;
  await build(hash);
  return true;
}

const readMark = () => readFile(path.join(dist, MARK), "utf8").catch(() => undefined);

function hashInputs(): string {
  const hash = createHash("sha256");
  const files = [...INPUTS.flatMap(listFiles), "package-lock.json"];
  for (const file of files.sort()) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(path.join(root, file)))
      .update("\0");
  }
  return hash.digest("hex");
}

function listFiles(input: string): string[] {
  if (path.extname(input) !== "") return [input];
  return readdirSync(path.join(root, input), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
}

async function build(hash: string): Promise<void> {
  await mkdir(dist, { recursive: true });
  // Beside the old one, so that whoever reads or builds at the same time sees one or the other.
  const fresh = await mkdtemp(path.join(here, ".dist-"));
  const assets = path.join(fresh, "assets");
  try {
    const [chunks, style] = await Promise.all([bundleScripts(assets), bundleStyle(assets)]);
    const pages = await readFile(path.join(here, "src/pages.ts"), "utf8");
    await writePage(fresh, chunks, style, await writeEarly(assets, chunks, pages));
    await compressAll(fresh);
    await writeFile(path.join(fresh, MARK), hash);
    await rm(dist, { recursive: true, force: true });
    await rename(fresh, dist).catch((error: NodeJS.ErrnoException) => {
      // Somebody else, who built the same, was faster.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** What is not there when dependencies for development were left out. */
async function tool<T>(name: string, load: () => Promise<T>): Promise<T> {
  return load().catch((error: Error) => {
    throw new Error(
      `${name} is not installed (npm ci without --omit=dev installs it): ${error.message}`,
    );
  });
}

/**
 * Few files, since each costs a browser milliseconds: what every page needs, charts, what many pages
 * share, and each page's own.
 */
async function bundleScripts(directory: string): Promise<Chunk[]> {
  const { rolldown } = await tool("rolldown", () => import("rolldown"));
  await using bundle = await rolldown({
    input: { console: path.join(here, "src/main.tsx") },
    platform: "browser",
    transform: {
      target: ["chrome120", "firefox121", "safari17.4"],
      define: { "process.env.NODE_ENV": '"production"' },
    },
    plugins: [commentsPlugin(path.join(root, "gen")), descriptorsPlugin],
    logLevel: "silent",
  });
  const { output } = await bundle.write({
    dir: directory,
    format: "esm",
    entryFileNames: "[name]-[hash].js",
    chunkFileNames: "[name]-[hash].js",
    hashCharacters: "base36",
    minify: true,
    comments: false,
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        { name: "console", tags: ["$initial"], priority: 4 },
        { name: "charts", test: /uplot|src.charts/, priority: 3 },
        { name: "edges", test: /src.edges.(edge-columns|edge-filters|words)/, priority: 2 },
        // Not what but a few share: all of it would run on every page.
        { name: "shared", minShareCount: 8, priority: 1 },
      ],
    },
  });
  return output.filter((each) => each.type === "chunk");
}

/** Answers the file's name. */
async function bundleStyle(directory: string): Promise<string> {
  const esbuild = await tool("esbuild", () => import("esbuild"));
  const { metafile } = await esbuild.build({
    entryPoints: { console: path.join(here, "src/styles/index.css") },
    outdir: directory,
    entryNames: "[name]-[hash]",
    bundle: true,
    target: ["chrome120", "firefox121", "safari17.4"],
    minify: true,
    metafile: true,
    legalComments: "none",
    logLevel: "silent",
  });
  const [file = ""] = Object.keys(metafile.outputs);
  return path.basename(file);
}

/** Fills the page's template with the names of what it starts with, all of it at once. */
async function writePage(
  fresh: string,
  chunks: Chunk[],
  style: string,
  early: string,
): Promise<void> {
  const entry = chunks.find(({ isEntry }) => isEntry);
  if (!entry) throw new Error("the build has no entry");
  const url = (name: string) => `/assets/${name}`;
  const head = [
    // Not a module: it runs at once.
    `<script src="${url(early)}"></script>`,
    `<link rel="stylesheet" href="${url(style)}">`,
    ...entry.imports.map((each) => `<link rel="modulepreload" href="${url(each)}">`),
    `<script type="module" src="${url(entry.fileName)}"></script>`,
  ];
  const template = await readFile(path.join(here, "index.html"), "utf8");
  await writeFile(
    path.join(fresh, "index.html"),
    template.replace("<!-- assets -->", head.join("\n    ")),
  );
}

/** Compresses once what is asked for often. */
async function compressAll(directory: string): Promise<void> {
  const brotli = promisify(brotliCompress);
  const zip = promisify(gzip);
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  await Promise.all(
    files
      .filter((entry) => entry.isFile() && /\.(html|js|css|svg)$/.test(entry.name))
      .map(async (entry) => {
        const file = path.join(entry.parentPath, entry.name);
        const body = await readFile(file);
        const params = {
          [constants.BROTLI_PARAM_QUALITY]: 10,
          [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
          [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
        };
        await writeFile(`${file}.br`, await brotli(body, { params }));
        await writeFile(`${file}.gz`, await zip(body, { level: 9 }));
      }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const begun = performance.now();
  const built = await buildIfStale();
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(built ? `built the console in ${seconds} s` : "the console is built already");
}
