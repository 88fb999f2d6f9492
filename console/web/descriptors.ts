import { fileURLToPath, pathToFileURL } from "node:url";
import type { DescFile } from "@bufbuild/protobuf";
import type { Plugin } from "rolldown";

const CALL = /\b(?:fileDesc|boot)\((?:"[^"]*"|\{.*\})(?:, (\[[^\]]*\]))?\);/;
const READER = fileURLToPath(new URL("src/client/contract-file.ts", import.meta.url));

/** Of these files the console needs but so many messages: what describes descriptors, and rules. */
const NEEDED: Record<string, string[]> = {
  "google/protobuf/descriptor.proto": ["MethodOptions"],
  "buf/validate/validate.proto": [],
};

/**
 * Generated code carries its descriptors encoded, which a browser can only read once it has those
 * that describe descriptors: a fourth of what a first page has to do. Here they are decoded while
 * building, and written down without what the console never reads.
 */
export const descriptorsPlugin: Plugin = {
  name: "descriptors",
  transform: {
    filter: { id: /_pb\.js$/ },
    async handler(code, id) {
      const call = CALL.exec(code);
      const exported: unknown[] = Object.values(await import(pathToFileURL(id).href));
      const file = exported.find(isFile);
      if (!call || !file) throw new Error(`${id} is not as descriptors.ts reads it`);
      const [found, imports = "[]"] = call;
      const text = JSON.stringify(JSON.stringify(write(file)));
      return {
        code: `import { contractFile } from ${JSON.stringify(READER)};
          ${code.replace(found, () => `contractFile(${text}, ${imports});`)}`,
      };
    },
  },
};

const isFile = (value: unknown): value is DescFile =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "file";

function write({ proto }: DescFile): object {
  const needed = NEEDED[proto.name];
  if (!needed) return { ...(writePart(proto) as object), dependency: undefined };
  const { name, package: within } = proto;
  const messageType = proto.messageType.filter((each) => needed.includes(each.name));
  return { name, package: within, messageType: messageType.map(({ name }) => ({ name })) };
}

function writePart(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(writePart);
  if (typeof part !== "object" || part === null) return part;
  const entries = Object.entries(part).filter(
    ([name, value]) =>
      !name.startsWith("$") &&
      !(Array.isArray(value) && value.length === 0) &&
      !(name === "jsonName" && "name" in part && part.name === value),
  );
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      name === "options" ? writeOptions(value) : writePart(value),
    ]),
  );
}

interface Options {
  $typeName: string;
  mapEntry?: boolean;
  packed?: boolean;
  deprecated?: boolean;
  idempotencyLevel?: number;
  $unknown?: { no: number; wireType: number; data: Uint8Array }[];
}

/** Of the options that the contract adds, only a method's are read: who may call it. */
function writeOptions(options: Options): object | undefined {
  const { mapEntry, packed, deprecated, idempotencyLevel, $typeName, $unknown } = options;
  const isMethod = $typeName === "google.protobuf.MethodOptions";
  const written = {
    ...(mapEntry && { mapEntry }),
    ...(Object.hasOwn(options, "packed") && { packed }),
    ...(deprecated && { deprecated }),
    ...(idempotencyLevel && { idempotencyLevel }),
    ...(isMethod && {
      $typeName,
      $unknown: $unknown?.map((each) => ({ ...each, data: [...each.data] })),
    }),
  };
  return Object.keys(written).length > 0 ? written : undefined;
}
