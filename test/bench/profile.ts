import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

/** A profile of V8's, as `node --cpu-prof` leaves it; the part that is used here. */
interface Profile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string };
  }[];
  samples: number[];
}

/** The parts of the work, by the places of the code that they are done in. */
const PARTS: [RegExp, string][] = [
  [/\/server\/ingest\//, "server/ingest"],
  [/\/server\/log\//, "server/log"],
  [/\/server\/http/, "server/http"],
  [/\/server\/access\//, "server/access"],
  [/\/server\/|\/lib\//, "rest of the server"],
  [/@bufbuild|@connectrpc/, "Connect and protobuf-es"],
  [/\/pg|\/kysely/, "PostgreSQL's driver"],
  [/prom-client/, "prom-client"],
  [/^node:(_?http|internal\/http|_http)/, "Node: HTTP"],
  [/^node:(internal\/)?(streams?|stream)|^node:internal\/stream_base/, "Node: streams"],
  [/^node:(_tls|tls|internal\/tls)|^node:internal\/crypto/, "Node: TLS and crypto"],
  [/^node:net/, "Node: net"],
  [/^node:/, "Node: rest"],
];

function partOf({ functionName, url }: Profile["nodes"][number]["callFrame"]): string {
  if (functionName === "(garbage collector)") return "garbage collection";
  if (functionName === "(idle)") return "idle";
  if (functionName === "(program)" || url === "") return "native code (sockets, parsing, copying)";
  return PARTS.find(([pattern]) => pattern.test(url))?.[1] ?? "rest";
}

/** The share of each part in all profiles of a directory, without idle time, the largest first. */
export async function summarizeProfiles(directory: string): Promise<{
  idle: number;
  parts: [name: string, share: number][];
  functions: [string, number][];
}> {
  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  let all = 0;
  for (const name of await readdir(directory)) {
    if (!name.endsWith(".cpuprofile")) continue;
    const profile: Profile = JSON.parse(await readFile(path.join(directory, name), "utf8"));
    const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
    for (const sample of profile.samples) {
      const frame = frames.get(sample);
      if (!frame) continue;
      const part = partOf(frame);
      parts.set(part, (parts.get(part) ?? 0) + 1);
      const place = `${frame.functionName || "(anonymous)"} ${path.basename(frame.url)}`;
      functions.set(place, (functions.get(place) ?? 0) + 1);
      all += 1;
    }
  }
  const idle = parts.get("idle") ?? 0;
  parts.delete("idle");
  const shares = (counts: Map<string, number>) =>
    [...counts]
      .map(([name, count]): [string, number] => [name, count / (all - idle)])
      .sort(([, a], [, b]) => b - a);
  return { idle: idle / all, parts: shares(parts), functions: shares(functions) };
}
