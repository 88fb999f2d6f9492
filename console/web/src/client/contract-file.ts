import { createFileRegistry, type DescFile } from "@bufbuild/protobuf";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";

interface Node {
  $unknown?: { data: Iterable<number> }[];
  options?: Node;
}

/** What a part of a description says where nothing is written, and the parts that it consists of. */
interface Shape {
  defaults: object;
  parts: [list: string, shape: Shape][];
}

const NONE: never[] = [];
const lists = (...names: string[]) => Object.fromEntries(names.map((name) => [name, NONE]));

const PLAIN: Shape = { defaults: {}, parts: [] };
const FIELD: Shape = {
  defaults: {
    label: 1,
    typeName: "",
    extendee: "",
    defaultValue: "",
    proto3Optional: false,
    get jsonName() {
      return (this as unknown as { name: string }).name;
    },
  },
  parts: [],
};
const ENUM: Shape = {
  defaults: lists("value", "reservedRange", "reservedName"),
  parts: [["value", PLAIN]],
};
const MESSAGE: Shape = {
  defaults: lists("field", "nestedType", "enumType", "oneofDecl", "extension", "extensionRange"),
  parts: [
    ["field", FIELD],
    ["enumType", ENUM],
  ],
};
MESSAGE.parts.push(["nestedType", MESSAGE]);
const SERVICE: Shape = {
  defaults: lists("method"),
  parts: [["method", { defaults: { clientStreaming: false, serverStreaming: false }, parts: [] }]],
};
const FILE: Shape = {
  defaults: {
    $typeName: "google.protobuf.FileDescriptorProto",
    package: "",
    syntax: "",
    edition: 0,
    ...lists("messageType", "enumType", "service", "extension"),
  },
  parts: [
    ["messageType", MESSAGE],
    ["enumType", ENUM],
    ["service", SERVICE],
    ["extension", FIELD],
  ],
};

function complete(node: Node, { defaults, parts }: Shape): void {
  Object.setPrototypeOf(node, defaults);
  for (const each of node.options?.$unknown ?? []) each.data = Uint8Array.from(each.data);
  for (const [list, shape] of parts) {
    for (const part of (node as Record<string, Node[]>)[list] ?? NONE) complete(part, shape);
  }
}

/**
 * A file of the contract from what the build wrote of it (`console/web/descriptors.ts`), with those
 * that it imports.
 */
export function contractFile(written: string, imports: DescFile[] = []): DescFile {
  const proto = JSON.parse(written) as FileDescriptorProto;
  complete(proto as Node, FILE);
  proto.dependency = imports.map((each) => each.proto.name);
  const registry = createFileRegistry(proto, (name) =>
    imports.find((each) => each.proto.name === name),
  );
  return registry.getFile(proto.name) as DescFile;
}
