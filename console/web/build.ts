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
import { type Outputs, writeEarly } from "./early.ts";
import { rulesPlugin } from "./rules.ts";

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
  "console/web/rules.ts",
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
  const esbuild = await import("esbuild").catch((error: Error) => {
    throw new Error(
      `esbuild is not installed (npm ci without --omit=dev installs it): ${error.message}`,
    );
  });
  await mkdir(dist, { recursive: true });
  // Beside the old one, so that whoever reads or builds at the same time sees one or the other.
  const fresh = await mkdtemp(path.join(here, ".dist-"));
  try {
    const result = await esbuild.build({
      entryPoints: { console: path.join(here, "src/main.tsx") },
      outdir: path.join(fresh, "assets"),
      entryNames: "[name]-[hash]",
      chunkNames: "[name]-[hash]",
      assetNames: "[name]-[hash]",
      bundle: true,
      splitting: true,
      format: "esm",
      target: ["chrome120", "firefox121", "safari17.4"],
      minify: true,
      metafile: true,
      jsx: "automatic",
      define: { "process.env.NODE_ENV": '"production"' },
      plugins: [commentsPlugin(path.join(root, "gen")), rulesPlugin],
      legalComments: "none",
      logLevel: "silent",
    });
    const { outputs } = result.metafile;
    const pages = await readFile(path.join(here, "src/pages.ts"), "utf8");
    const early = await writeEarly(path.join(fresh, "assets"), outputs, pages);
    await writePage(fresh, outputs, early);
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

/** Fills the page's template with the names of what it starts with, all of it at once. */
async function writePage(fresh: string, outputs: Outputs, early: string): Promise<void> {
  const entry = Object.entries(outputs).find(([, { entryPoint }]) =>
    entryPoint?.endsWith("src/main.tsx"),
  );
  if (!entry) throw new Error("the build has no entry");
  const [file, { cssBundle, imports }] = entry;
  const url = (name: string) => `/assets/${path.basename(name)}`;
  const preloads = imports
    .filter(({ kind }) => kind === "import-statement")
    .map((each) => `<link rel="modulepreload" href="${url(each.path)}">`);
  const head = [
    // Not a module: it runs at once.
    `<script src="${url(early)}"></script>`,
    ...(cssBundle ? [`<link rel="stylesheet" href="${url(cssBundle)}">`] : []),
    ...preloads,
    `<script type="module" src="${url(file)}"></script>`,
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
