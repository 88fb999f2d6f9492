import { fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import {
  type SourceSettings,
  SourceSettingsSchema,
} from "../../../../gen/lumetry/source/v1/settings_pb.js";
import { isKind, type KindName } from "../words/sources.ts";

/**
 * What somebody is typing: settings in the JSON form of the contract, the same that the command line
 * takes. So the form and the JSON are two views of one thing, and neither can lose what the other knows.
 */
export interface Draft {
  kind: KindName;
  settings: JsonObject;
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function draftOf(settings: SourceSettings | undefined): Draft | undefined {
  if (!settings?.kind.case) return undefined;
  const json = toJson(SourceSettingsSchema, settings);
  const inner = isObject(json) ? json[settings.kind.case] : undefined;
  return { kind: settings.kind.case, settings: isObject(inner) ? inner : {} };
}

/** The value at a path such as "http.url". */
export function valueAt(settings: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = settings;
  for (const name of path.split(".")) value = isObject(value) ? value[name] : undefined;
  return value;
}

/** The same with another value there; undefined takes it away, with what is left empty around it unless that is kept. */
export function withValue(
  settings: JsonObject,
  path: string,
  value: JsonValue | undefined,
  keepsParent = false,
): JsonObject {
  const [name = "", ...rest] = path.split(".");
  const { [name]: before, ...others } = settings;
  if (rest.length === 0) return value === undefined ? others : { ...others, [name]: value };
  const inner = withValue(isObject(before) ? before : {}, rest.join("."), value, keepsParent);
  return Object.keys(inner).length === 0 && !keepsParent ? others : { ...others, [name]: inner };
}

export const jsonText = ({ kind, settings }: Draft) =>
  `${JSON.stringify({ [kind]: settings }, null, 2)}\n`;

/** Reads what was typed as JSON of SourceSettings; throws in words for people. */
export function readJson(text: string): Draft {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new Error(`This is no JSON: ${(error as Error).message}`);
  }
  const [kind = "", ...others] = isObject(json) ? Object.keys(json) : [];
  const settings = isObject(json) ? json[kind] : undefined;
  if (!isKind(kind) || others.length > 0 || !isObject(settings)) {
    throw new Error('It has to be one kind with its settings, such as {"tcpCheck": {…}}.');
  }
  const draft = { kind, settings };
  toSettings(draft);
  return draft;
}

/** In the terms of the contract; throws in words for people. */
export function toSettings({ kind, settings }: Draft): SourceSettings {
  try {
    return fromJson(SourceSettingsSchema, { [kind]: settings });
  } catch (error) {
    throw new Error(
      (error as Error).message.replace(
        /^cannot decode (field|message) lumetry\.source\.v1\.(\S+) from JSON: /,
        (_all, what, name) => (what === "field" ? `${name}: ` : ""),
      ),
    );
  }
}
