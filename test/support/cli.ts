import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type DescMessage, fromJsonString, type MessageShape } from "@bufbuild/protobuf";
import type { TestServer } from "./server.ts";

export const LUMETRY = fileURLToPath(new URL("../../bin/lumetry.js", import.meta.url));

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** On standard input, which is never a terminal. */
  input?: string;
  environment?: Record<string, string | undefined>;
  /** The folder to type it in; an empty one unless told. */
  directory?: string;
}

/** Somebody at a shell, with a home of their own, on a machine where Lumetry is installed. */
export interface Shell extends AsyncDisposable {
  /** Belongs to them and is empty at first. */
  readonly home: string;
  readonly environment: Record<string, string | undefined>;
  /** Runs `lumetry …`, as it was installed. */
  lumetry(args: string[], options?: RunOptions): Promise<Ran>;
  /** Runs it with --json, and reads the answer as a message; throws when it fails. */
  ask<Desc extends DescMessage>(
    schema: Desc,
    args: string[],
    options?: RunOptions,
  ): Promise<MessageShape<Desc>>;
}

export async function openShell(): Promise<Shell> {
  const home = await mkdtemp(path.join(os.tmpdir(), "lumetry-home-"));
  const directory = path.join(home, "folder");
  await mkdir(directory);
  const environment = {
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
    HOME: home,
    TMPDIR: process.env.TMPDIR,
    TZ: "UTC",
    LANG: "C.UTF-8",
  };
  const lumetry: Shell["lumetry"] = async (args, options = {}) => {
    const child = spawn(process.execPath, [LUMETRY, ...args], {
      cwd: options.directory ?? directory,
      env: { ...environment, ...options.environment },
    });
    child.stdin.on("error", () => {}); // it may end without reading
    child.stdin.end(options.input ?? "");
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    const [stdout, stderr, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      ended,
    ]);
    return { code, stdout, stderr };
  };
  return {
    home,
    environment,
    lumetry,
    async ask(schema, args, options) {
      const { code, stdout, stderr } = await lumetry(["--json", ...args], options);
      if (code !== 0) throw new Error(`lumetry ${args.join(" ")} ended with ${code}: ${stderr}`);
      return fromJsonString(schema, stdout);
    },
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

/** What tells the command line which server to call, and as whom. */
export const as = (server: TestServer, token?: string): Record<string, string> => ({
  LUMETRY_SERVER: server.url,
  LUMETRY_CA: server.caFile,
  ...(token !== undefined && { LUMETRY_TOKEN: token }),
});
