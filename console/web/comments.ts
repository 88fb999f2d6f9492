import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Plugin } from "rolldown";

const BLOCK = /\/\*\*\n((?:\s*\*.*\n)+?)\s*\*\//g;
const ORIGIN = /@generated from (rpc|message|field|service|enum) ?:?(.*)$/m;

/** The comments of the contract by full name, from the declarations that were generated from it. */
export function readComments(folder: string): Record<string, string> {
  const comments: Record<string, string> = {};
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith("_pb.d.ts"));
  for (const file of files.sort()) {
    let message = "";
    for (const [, block = ""] of readFileSync(path.join(folder, file), "utf8").matchAll(BLOCK)) {
      const text = block.replace(/^\s*\* ?/gm, "");
      const origin = ORIGIN.exec(text);
      if (!origin) continue;
      const [line, kind, rest = ""] = origin;
      if (kind === "message") message = rest.trim();
      const field = /(\S+) = \d+/.exec(rest)?.[1];
      const name = kind === "field" ? `${message}.${field}` : rest.trim();
      const words = text.replace(line, "").replace(/\s+/g, " ").trim();
      if (words) comments[name] = words;
    }
  }
  return comments;
}

const MODULE = "virtual:comments";

/** Makes them a module, since descriptors do not carry them. */
export const commentsPlugin = (folder: string): Plugin => ({
  name: "comments",
  resolveId: (name) => (name === MODULE ? MODULE : undefined),
  load: (name) =>
    name === MODULE
      ? { code: JSON.stringify(readComments(folder)), moduleType: "json" }
      : undefined,
});
