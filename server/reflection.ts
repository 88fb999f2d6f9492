import { createRegistry, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type { ServerReflection as V1 } from "../gen/grpc/reflection/v1/reflection_pb.js";
import type { ServerReflection as V1Alpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.js";

/** A question of either version; they differ in the names of their packages only. */
interface Question {
  host: string;
  messageRequest:
    | { case: "fileByFilename" | "fileContainingSymbol"; value: string }
    | { case: "allExtensionNumbersOfType" | "listServices"; value: string }
    | {
        case: "fileContainingExtension";
        value: { containingType: string; extensionNumber: number };
      }
    | { case: undefined };
}

type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | {
      case: "allExtensionNumbersResponse";
      value: { baseTypeName: string; extensionNumber: number[] };
    }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/** What one stream may ask. */
const MOST_QUESTIONS = 10_000;

/**
 * The gRPC reflection protocol, in both versions that clients speak: what can be called here, and
 * the files that describe it together with everything they import.
 */
export function reflectionServices(services: readonly DescService[]): {
  v1: ServiceImpl<typeof V1>;
  v1alpha: ServiceImpl<typeof V1Alpha>;
} {
  const answer = makeCatalog(services);

  async function* answerAll<Q extends Question>(questions: AsyncIterable<Q>) {
    const sent = new Set<DescFile>();
    let asked = 0;
    for await (const question of questions) {
      const messageResponse = answer(question.messageRequest, sent);
      yield { validHost: question.host, originalRequest: question, messageResponse };
      asked += 1;
      if (asked >= MOST_QUESTIONS) return;
    }
  }
  return {
    v1: { serverReflectionInfo: (questions) => answerAll(questions) },
    v1alpha: { serverReflectionInfo: (questions) => answerAll(questions) },
  };
}

function makeCatalog(services: readonly DescService[]) {
  const files = withImports(services.map((service) => service.file));
  const byName = new Map([...files].map((file) => [file.proto.name, file]));
  const registry = createRegistry(...files);

  /** A symbol may be a type, or a part of one, such as a method of a service. */
  const fileOf = (symbol: string): DescFile | undefined =>
    (registry.get(symbol) ?? registry.get(symbol.slice(0, symbol.lastIndexOf("."))))?.file;

  const extensionsOf = (typeName: string) =>
    [...registry].filter(
      (type) => type.kind === "extension" && type.extendee.typeName === typeName,
    );

  /** What was sent in a stream is not sent again, except when it is what was asked for. */
  const describe = (file: DescFile | undefined, sent: Set<DescFile>): Answer => {
    if (!file) return notFound("file or symbol");
    const news = [...withImports([file])].filter((other) => other === file || !sent.has(other));
    for (const other of news) sent.add(other);
    const fileDescriptorProto = news.map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  };

  return (question: Question["messageRequest"], sent: Set<DescFile>): Answer => {
    switch (question.case) {
      case "listServices": {
        const service = services.map(({ typeName }) => ({ name: typeName }));
        return { case: "listServicesResponse", value: { service } };
      }
      case "fileByFilename":
        return describe(byName.get(question.value), sent);
      case "fileContainingSymbol":
        return describe(fileOf(question.value.replace(/^\./, "")), sent);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        const found = extensionsOf(containingType).find(
          (type) => type.kind === "extension" && type.number === extensionNumber,
        );
        return describe(found?.file, sent);
      }
      case "allExtensionNumbersOfType": {
        if (registry.getMessage(question.value) === undefined) return notFound("message");
        const extensionNumber = extensionsOf(question.value).flatMap((type) =>
          type.kind === "extension" ? [type.number] : [],
        );
        return {
          case: "allExtensionNumbersResponse",
          value: { baseTypeName: question.value, extensionNumber },
        };
      }
      default:
        return error(Code.InvalidArgument, "the request asks nothing");
    }
  };
}

const error = (errorCode: Code, errorMessage: string): Answer => ({
  case: "errorResponse",
  value: { errorCode, errorMessage },
});
const notFound = (noun: string) => error(Code.NotFound, `there is no such ${noun}`);

/** The files and all that they import, each once, what is imported first. */
function withImports(files: Iterable<DescFile>, found = new Set<DescFile>()): Set<DescFile> {
  for (const file of files) {
    withImports(file.dependencies, found);
    found.add(file);
  }
  return found;
}
