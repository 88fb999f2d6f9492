import { type DescMessage, fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { type Config, ConfigSchema } from "../gen/lumetry/edge/v1/config_pb.js";

/**
 * The configuration document, read in the same way by the server before it publishes one and by
 * the edge before it applies one: unknown properties are ignored and named, bad values refused.
 */
export type ConfigReading =
  | { valid: true; config: Config; unknownKeys: string[] }
  | { valid: false; problem: string };

const MOST_BYTES = 65_536;
const MOST_UNKNOWN_KEYS = 100;
const validator = createValidator();

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Paths of the properties that the schema does not have, outermost only. */
function* unknownKeys(schema: DescMessage, object: JsonObject, at = ""): Generator<string> {
  for (const [key, value] of Object.entries(object)) {
    const field = schema.fields.find((known) => known.jsonName === key || known.name === key);
    if (!field) yield at + key;
    else if (field.fieldKind === "message" && isObject(value)) {
      yield* unknownKeys(field.message, value, `${at}${field.jsonName}.`);
    }
  }
}

/** Paths in the document, by the full names under which decoding errors know fields and messages. */
function* pathsByName(schema: DescMessage, at = ""): Generator<[name: string, path: string]> {
  for (const field of schema.fields) {
    const path = at + field.jsonName;
    yield [`${schema.typeName}.${field.name}`, path];
    if (field.fieldKind !== "message") continue;
    yield [field.message.typeName, path];
    yield* pathsByName(field.message, `${path}.`);
  }
}

const paths = new Map(pathsByName(ConfigSchema));

function wordsFor(error: unknown): string {
  const { message } = error as Error;
  const match = /^cannot decode (?:field|message) (\S+) from JSON: (.*)$/s.exec(message);
  const path = paths.get(match?.[1] ?? "");
  return path ? `${path}: ${match?.[2]}` : message;
}

/** A path as it may be shown and stored: without control characters, and not endless. */
const inOneLine = (path: string) => JSON.stringify(path).slice(1, -1).slice(0, 256).toWellFormed();

/**
 * The path of a key that one object of a valid JSON text holds more than once. Readers would pick
 * the last one in silence, and not what whoever wrote the first had in mind.
 */
function repeatedKey(json: string): string | undefined {
  const open: { path: string; keys: Set<string>; key: string }[] = [];
  const join = (...parts: string[]) => parts.filter((part) => part !== "").join(".");
  for (const [token, quoted] of json.matchAll(
    /("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}[\]]/g,
  )) {
    const inner = open.at(-1);
    if (token === "{" || token === "[") {
      const path = inner ? join(inner.path, inner.key) : "";
      open.push({ path, keys: new Set(), key: "" });
    } else if (token === "}" || token === "]") open.pop();
    else if (quoted !== undefined && inner) {
      inner.key = JSON.parse(quoted);
      if (inner.keys.has(inner.key)) return join(inner.path, inner.key);
      inner.keys.add(inner.key);
    }
  }
  return undefined;
}

export function readConfigDocument(document: string): ConfigReading {
  const refuse = (problem: string): ConfigReading => ({ valid: false, problem });
  if (Buffer.byteLength(document) > MOST_BYTES) {
    return refuse(`the document is larger than ${MOST_BYTES} bytes`);
  }
  let json: JsonValue;
  try {
    json = JSON.parse(document);
  } catch (error) {
    return refuse(`the document is not JSON: ${(error as Error).message}`);
  }
  const twice = repeatedKey(document);
  if (twice !== undefined) return refuse(`${inOneLine(twice)} is there twice`);
  if (!isObject(json))
    return refuse('the document must be a JSON object, such as {"hostMetrics": {}}');
  let config: Config;
  try {
    config = fromJson(ConfigSchema, json, { ignoreUnknownFields: true });
  } catch (error) {
    return refuse(wordsFor(error));
  }
  const result = validator.validate(ConfigSchema, config);
  if (result.kind === "error") return refuse(result.error.message);
  if (result.kind === "invalid") {
    return refuse(
      result.violations
        .map(({ field, message }) => {
          const path = field.flatMap((part) => (part.kind === "field" ? [part.jsonName] : []));
          return `${path.join(".")}: ${message}`;
        })
        .join("; "),
    );
  }
  const unknown = [...unknownKeys(ConfigSchema, json)].slice(0, MOST_UNKNOWN_KEYS);
  return { valid: true, config, unknownKeys: unknown.map(inOneLine) };
}
