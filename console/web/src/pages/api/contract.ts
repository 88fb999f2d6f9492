import comments from "virtual:comments";
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  ScalarType,
} from "@bufbuild/protobuf";
import * as contract from "../../../../../gen/index.js";
import {
  access,
  CallerSchema,
  CapabilitySchema,
  Role,
  RoleSchema,
} from "../../../../../gen/lumetry/access/v1/access_pb.js";
import { enumWord } from "../../words/counts.ts";

const isService = (value: unknown): value is DescService =>
  typeof value === "object" && value !== null && (value as { kind?: string }).kind === "service";

/** Everything that people and senders of points can call, by name. */
export const SERVICES: DescService[] = (Object.values(contract) as unknown[])
  .filter(isService)
  .sort((a, b) => a.typeName.localeCompare(b.typeName));

/** What the contract says of something, by its full name; "" when nothing. */
export const commentOf = (name: string): string => comments[name] ?? "";

export const nameOf = (method: DescMethod) => `${method.parent.typeName}.${method.name}`;
export const pathOf = (method: DescMethod) => `/${method.parent.typeName}/${method.name}`;

/** Who may call it: "person, as operator". */
export function callersText(method: DescMethod): string {
  const { callers, role, capability } = getOption(method, access);
  const words = callers.map((caller) => enumWord(CallerSchema, caller)).join(" or ");
  return [
    words,
    role !== Role.UNSPECIFIED && `as ${enumWord(RoleSchema, role)}`,
    capability && `with the capability ${enumWord(CapabilitySchema, capability)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

const DEPTH = 3;

/** An example of a message in JSON, with a value for each field. */
export function exampleOf(message: DescMessage, depth = 0): unknown {
  switch (message.typeName) {
    case "google.protobuf.Timestamp":
      return "2026-01-05T14:47:12Z";
    case "google.protobuf.Duration":
      return "3600s";
  }
  if (depth >= DEPTH) return {};
  const chosen = new Set<string>();
  return Object.fromEntries(
    message.fields
      .filter((field) => {
        // Of those that exclude one another, the first.
        if (!field.oneof) return true;
        const isFirst = !chosen.has(field.oneof.name);
        chosen.add(field.oneof.name);
        return isFirst;
      })
      .map((field) => [field.jsonName, fieldExample(field, depth)]),
  );
}

function fieldExample(field: DescField, depth: number): unknown {
  switch (field.fieldKind) {
    case "message":
      return exampleOf(field.message, depth + 1);
    case "enum":
      return field.enum.values[1]?.name ?? "";
    case "scalar":
      return scalarExample(field.scalar);
    case "list":
      if (field.listKind === "message") return [exampleOf(field.message, depth + 1)];
      return [field.listKind === "enum" ? field.enum.values[1]?.name : scalarExample(field.scalar)];
    case "map":
      return { key: field.mapKind === "scalar" ? scalarExample(field.scalar) : {} };
  }
}

function scalarExample(scalar: ScalarType): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return "…";
    case ScalarType.BOOL:
      return false;
    case ScalarType.BYTES:
      return "";
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return "0";
    default:
      return 0;
  }
}

/** A call of it with curl. */
export function curlFor(method: DescMethod, origin: string): string {
  const isOpen = callersText(method).startsWith("anyone");
  const body = JSON.stringify(exampleOf(method.input), null, 2);
  return [
    `curl ${origin}${pathOf(method)} \\`,
    ...(isOpen ? [] : [`  -H "authorization: Bearer $LUMETRY_TOKEN" \\`]),
    `  -H 'content-type: application/json' -d '${body}'`,
  ].join("\n");
}

/** The type of a field as the contract spells it. */
export function typeOf(field: DescField): string {
  const short = (name: string) => name.replace(/^(google\.protobuf|lumetry\.(\w+\.)?v1)\./, "");
  switch (field.fieldKind) {
    case "message":
      return short(field.message.typeName);
    case "enum":
      return short(field.enum.typeName);
    case "scalar":
      return ScalarType[field.scalar].toLowerCase();
    case "list":
      return `repeated ${
        field.listKind === "scalar"
          ? ScalarType[field.scalar].toLowerCase()
          : short(field.listKind === "message" ? field.message.typeName : field.enum.typeName)
      }`;
    case "map":
      return `map of ${field.mapKind === "scalar" ? ScalarType[field.scalar].toLowerCase() : field.mapKind}`;
  }
}
