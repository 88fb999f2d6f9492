import { createReadStream } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { Code } from "@connectrpc/connect";
import { errorBody } from "../../lib/http/error-body.ts";
import type { Log } from "../../lib/log.ts";
import { SettingsError } from "../../lib/settings.ts";
import { answer } from "../http/answer.ts";
import type { Exchange } from "../http/exchange.ts";
import { fillBootstrap } from "./bootstrap.ts";
import { markOf, type Release, readRelease } from "./release.ts";

/** Below this path of the server. */
export const PACKAGES_PATH = "/packages";
const INSTALLERS = { linux: "install.sh", windows: "install.ps1" } as const;

/** The packages that this server hands to hosts, and the installers that fetch them. */
export interface Packages {
  /** The path of the installer for a system; undefined when the release has none. */
  installerPath(system: keyof typeof INSTALLERS): string | undefined;
  /** Whether that installer finds a collector's package here: a release may be one of agents alone. */
  hasCollector(): boolean;
  /** Answers requests for what is below PACKAGES_PATH; false for all others. */
  answer(exchange: Exchange): boolean;
}

/** What an installer is told of the deployment when it is asked for. */
export interface Deployment {
  publicUrl: () => string;
  /** The authority to trust, in PEM form; "" where the system's are enough. */
  authority: () => string;
  /** Who has to have signed what runs on Windows; whom the release names when undefined. */
  publisher?: string | undefined;
}

/**
 * Opens a directory of packages. Another release that takes the place of the first is noticed when
 * somebody asks; until it is whole, hosts are told to come back.
 */
export async function openPackages(
  directory: string,
  keyFile: string | undefined,
  deployment: Deployment,
  log: Log,
): Promise<Packages> {
  let release = await readRelease(directory, keyFile).catch((error: Error) => {
    throw new SettingsError(`--packages-dir: ${error.message}`);
  });
  let reading: Promise<Release> | undefined;

  const current = async (): Promise<Release> => {
    if ((await markOf(directory)) === release.mark) return release;
    reading ??= readRelease(directory, keyFile).finally(() => {
      reading = undefined;
    });
    release = await reading;
    return release;
  };

  const serve = async (exchange: Exchange, name: string) => {
    const { request, response } = exchange;
    let found: Release;
    try {
      found = await current();
    } catch (error) {
      log.warn({ err: error }, "the packages are not whole at present");
      const words = "the packages are being replaced; try again in a moment";
      answer(response, 503, errorBody(Code.Unavailable, words), { "retry-after": "10" });
      return;
    }
    const installer = found.installers.get(name);
    if (installer !== undefined) {
      const text = fillBootstrap(name, installer, {
        CHECKSUMS: found.checksums,
        BASE_URL: `${deployment.publicUrl()}${PACKAGES_PATH}`,
        CA: deployment.authority().trim(),
        ...(name === INSTALLERS.windows &&
          deployment.publisher !== undefined && { SIGNER: deployment.publisher }),
      });
      answer(response, 200, text);
      return;
    }
    const known = found.files.get(name);
    if (!known && !/^SHA256SUMS(\.sig)?$/.test(name)) {
      const words = `there is no such package; there are ${[...found.files.keys()].join(", ")}`;
      answer(response, 404, errorBody(Code.NotFound, words));
      return;
    }
    response.statusCode = 200;
    response.setHeader("content-type", "application/octet-stream");
    response.setHeader("x-content-type-options", "nosniff");
    if (known) {
      response.setHeader("content-length", known.bytes);
      response.setHeader("etag", `"${known.sha256}"`);
    }
    if (request.method === "HEAD") response.end();
    else {
      // As many bytes as were checked, whatever was added since; the host checks which they are.
      const end = known && known.bytes > 0 ? { end: known.bytes - 1 } : {};
      await pipeline(createReadStream(path.join(directory, name), end), response);
    }
  };

  return {
    installerPath(system) {
      const name = INSTALLERS[system];
      return release.files.has(name) ? `${PACKAGES_PATH}/${name}` : undefined;
    },
    hasCollector: () =>
      [...release.files.keys()].some((name) => /^lumetry-collector-.+-linux-/.test(name)),
    answer(exchange) {
      const [place = ""] = (exchange.request.url ?? "").split("?");
      if (!place.startsWith(`${PACKAGES_PATH}/`)) return false;
      const { method = "" } = exchange.request;
      if (method !== "GET" && method !== "HEAD") return false;
      // Long after it has begun: a slow line is no reason to break off, a client that takes nothing is.
      exchange.manner = "watch";
      serve(exchange, place.slice(PACKAGES_PATH.length + 1)).catch((error) => {
        log.debug({ err: error }, "a package was not taken to its end");
        exchange.response.destroy();
      });
      return true;
    },
  };
}
