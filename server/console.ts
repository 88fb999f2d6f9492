import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import { errorBody } from "../lib/http/error-body.ts";
import type { Log } from "../lib/log.ts";
import { answer } from "./http/answer.ts";
import type { PlainRoute } from "./http/dispatch.ts";
import type { Exchange } from "./http/exchange.ts";

/** Where the launcher builds the console, and where a package brings it. */
const BUILT = fileURLToPath(new URL("../console/web/dist", import.meta.url));

/** Only what this server itself serves may run, style, load or be talked to; nobody may frame it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

const ENCODINGS = { br: ".br", gzip: ".gz" } as const;

interface Asset {
  type: string;
  etag: string;
  /** By encoding; compressed when it was built, never for a request. */
  bodies: Map<"br" | "gzip" | "identity", Buffer>;
}

/** The console's files, held in memory: pages for people, under paths that the contract does not have. */
export interface Console {
  /** One for each file; they carry a hash of their content in their name, and never change. */
  readonly assets: PlainRoute[];
  /** The one page, which finds out itself what a path is to show. */
  page(exchange: Exchange): void;
}

/** Loads what was built; undefined, with a line in the log, when nothing was. */
export async function loadConsole(log: Log, directory = BUILT): Promise<Console | undefined> {
  const files = await listFiles(directory);
  const page = files.includes("index.html")
    ? await loadAsset(directory, "index.html", files)
    : undefined;
  if (!page) {
    log.warn({ directory }, "the console is not built, so no pages are served; npm run build");
    return undefined;
  }
  const names = files.filter((name) => TYPES[path.extname(name)] && name !== "index.html");
  const assets = await Promise.all(
    names.map(async (name): Promise<PlainRoute> => {
      const asset = await loadAsset(directory, name, files);
      return {
        path: `/${name}`,
        method: "GET",
        handle: (exchange) =>
          serve(exchange, asset, { "cache-control": "public, max-age=31536000, immutable" }),
      };
    }),
  );
  return {
    assets,
    page: (exchange) =>
      serve(exchange, page, {
        "cache-control": "no-cache",
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
      }),
  };
}

/** Whether a request wants something to look at, as browsers do and programs do not. */
export const wantsPage = ({ request }: Exchange) =>
  (request.method === "GET" || request.method === "HEAD") &&
  (request.headers.accept ?? "").includes("text/html");

async function listFiles(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(path.relative(directory, entry.parentPath), entry.name))
      .map((name) => name.replaceAll(path.sep, "/"));
  } catch {
    return [];
  }
}

async function loadAsset(directory: string, name: string, files: string[]): Promise<Asset> {
  const read = (file: string) => readFile(path.join(directory, file));
  const plain = await read(name);
  const bodies: Asset["bodies"] = new Map([["identity", plain]]);
  for (const [encoding, extension] of Object.entries(ENCODINGS)) {
    const file = name + extension;
    if (files.includes(file)) bodies.set(encoding as "br" | "gzip", await read(file));
  }
  const hash = createHash("sha256").update(plain).digest("base64url").slice(0, 22);
  return { type: TYPES[path.extname(name)] ?? "", etag: `"${hash}"`, bodies };
}

function serve(exchange: Exchange, asset: Asset, headers: Record<string, string>): void {
  const { request, response } = exchange;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("cross-origin-resource-policy", "same-origin");
  response.setHeader("vary", "accept, accept-encoding");
  response.setHeader("etag", asset.etag);
  if (isStrict(exchange)) {
    response.setHeader("strict-transport-security", "max-age=31536000");
  }
  const known = request.headers["if-none-match"]?.split(",").map((tag) => tag.trim());
  if (known?.some((tag) => tag === asset.etag || tag === `W/${asset.etag}`)) {
    response.statusCode = 304;
    response.end();
    return;
  }
  const encoding = choose(request.headers["accept-encoding"], asset);
  const body = encoding && asset.bodies.get(encoding);
  if (!body) {
    answer(response, 406, errorBody(Code.InvalidArgument, "accept identity, gzip or br"));
    return;
  }
  if (encoding !== "identity") response.setHeader("content-encoding", encoding);
  response.setHeader("content-type", asset.type);
  response.setHeader("content-length", body.length);
  response.end(body);
}

/**
 * Browsers are told to come over TLS only, unless they call this machine by its own name: that is
 * shared by whatever else runs on it.
 */
function isStrict({ request }: Exchange): boolean {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  const isEncrypted = "encrypted" in request.socket && request.socket.encrypted === true;
  return isEncrypted && !/^(localhost|.*\.localhost|127\..*|\[::1\])$/i.test(host);
}

/** The smallest form that the client takes; undefined when it takes none. */
function choose(accepted: string | string[] | undefined, asset: Asset) {
  const weights = new Map(
    String(accepted ?? "identity")
      .toLowerCase()
      .split(",")
      .map((part) => {
        const [name = "", ...parameters] = part.split(";").map((piece) => piece.trim());
        const weight = parameters.find((parameter) => parameter.startsWith("q="));
        return [name, weight === undefined ? 1 : Number(weight.slice(2))];
      }),
  );
  const takes = (encoding: string) =>
    (weights.get(encoding) ?? weights.get("*") ?? (encoding === "identity" ? 1 : 0)) > 0;
  return (["br", "gzip", "identity"] as const).find(
    (encoding) => asset.bodies.has(encoding) && takes(encoding),
  );
}
