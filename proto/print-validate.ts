/**
 * Writes buf/validate/validate.proto for the compiler. No npm package ships the file, but
 * @bufbuild/protovalidate carries its descriptor, which is printed back as text here.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate as file } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

const typeName = (field: FieldDescriptorProto) => field.typeName || Type[field.type].toLowerCase();
const inOneof = (field: FieldDescriptorProto) => Object.hasOwn(field, "oneofIndex");

function printField(field: FieldDescriptorProto, owner?: DescriptorProto): string {
  const entry = owner?.nestedType.find(
    (nested) => nested.options?.mapEntry && field.typeName.endsWith(`.${nested.name}`),
  );
  if (entry) {
    const [key, value] = entry.field.map(typeName);
    return `map<${key}, ${value}> ${field.name} = ${field.number};`;
  }
  let label = "optional ";
  if (field.label === Label.REPEATED) label = "repeated ";
  else if (field.label === Label.REQUIRED) label = "required ";
  else if (owner && inOneof(field)) label = "";
  return `${label}${typeName(field)} ${field.name} = ${field.number};`;
}

function* printEnum(desc: EnumDescriptorProto): Generator<string> {
  yield `enum ${desc.name} {`;
  for (const value of desc.value) yield `${value.name} = ${value.number};`;
  yield "}";
}

function* printMessage(desc: DescriptorProto): Generator<string> {
  yield `message ${desc.name} {`;
  for (const nested of desc.enumType) yield* printEnum(nested);
  for (const nested of desc.nestedType) if (!nested.options?.mapEntry) yield* printMessage(nested);
  for (const field of desc.field) if (!inOneof(field)) yield printField(field, desc);
  for (const [index, oneof] of desc.oneofDecl.entries()) {
    yield `oneof ${oneof.name} {`;
    for (const field of desc.field) {
      if (inOneof(field) && field.oneofIndex === index) yield printField(field, desc);
    }
    yield "}";
  }
  for (const range of desc.extensionRange) {
    yield `extensions ${range.start} to ${range.end >= 1 << 29 ? "max" : range.end - 1};`;
  }
  yield "}";
}

function* printFile(): Generator<string> {
  yield 'syntax = "proto2";';
  yield `package ${file.proto.package};`;
  for (const name of file.proto.dependency) yield `import "${name}";`;
  for (const field of file.proto.extension) {
    yield `extend ${field.extendee} {`;
    yield printField(field);
    yield "}";
  }
  for (const desc of file.proto.enumType) yield* printEnum(desc);
  for (const desc of file.proto.messageType) yield* printMessage(desc);
}

/** Prints the file below `root`, where buf.yaml looks for it; one that is right is left alone, since others may read it. */
export function printValidate(root: string): void {
  const to = path.join(root, "third_party/protovalidate/buf/validate/validate.proto");
  const text = `${[...printFile()].join("\n")}\n`;
  if (existsSync(to) && readFileSync(to, "utf8") === text) return;
  mkdirSync(path.dirname(to), { recursive: true });
  writeFileSync(to, text);
}
