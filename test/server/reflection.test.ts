import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import test from "ava";
import {
  ServerReflectionRequestSchema,
  ServerReflection as V1,
} from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as V1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { refused } from "../support/refusal.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
test.before(async () => {
  server = await startTestServer();
});
test.after.always(() => server?.[Symbol.asyncDispose]());

type Question = NonNullable<
  MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]
>;

/** Asks in one stream, one after the other. */
async function ask(...questions: Question[]) {
  const client = createClient(V1, server.transport({ protocol: "grpc" }));
  async function* requests() {
    for (const messageRequest of questions) {
      yield create(ServerReflectionRequestSchema, { host: "here", messageRequest });
    }
  }
  const answers = [];
  for await (const { messageResponse } of client.serverReflectionInfo(requests())) {
    answers.push(messageResponse);
  }
  return answers;
}

const filesIn = (answer: Awaited<ReturnType<typeof ask>>[number] | undefined) =>
  answer?.case === "fileDescriptorResponse"
    ? answer.value.fileDescriptorProto.map(
        (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
      )
    : [];

test("all services are listed, in both versions of the protocol", async (t) => {
  const [answer] = await ask({ case: "listServices", value: "" });
  const names = answer?.case === "listServicesResponse" ? answer.value.service : [];
  const v1 = names.map(({ name }) => name);
  t.true(v1.includes("lumetry.v1.ZoneService"));
  t.true(v1.includes("grpc.reflection.v1alpha.ServerReflection"));

  const client = createClient(V1Alpha, server.transport());
  async function* request() {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
  }
  for await (const { messageResponse } of client.serverReflectionInfo(request())) {
    t.is(messageResponse.case, "listServicesResponse");
    if (messageResponse.case !== "listServicesResponse") continue;
    t.deepEqual(
      messageResponse.value.service.map(({ name }) => name),
      v1,
    );
  }
});

test("a file comes with all that it imports, and nothing twice in a stream", async (t) => {
  const name = "lumetry/v1/zone_service.proto";
  const [byName, bySymbol, byMethod, byType, other] = await ask(
    { case: "fileByFilename", value: name },
    { case: "fileContainingSymbol", value: "lumetry.v1.ZoneService" },
    { case: "fileContainingSymbol", value: "lumetry.v1.ZoneService.GetZone" },
    { case: "fileContainingSymbol", value: ".lumetry.v1.UpdateZoneRequest.Networks" },
    { case: "fileContainingSymbol", value: "lumetry.v1.AuditService" },
  );
  const files = filesIn(byName);
  for (const imported of [
    "buf/validate/validate.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/descriptor.proto",
    "lumetry/access/v1/access.proto",
  ]) {
    t.true(files.includes(imported), imported);
  }
  t.is(new Set(files).size, files.length);
  for (const again of [bySymbol, byMethod, byType]) t.deepEqual(filesIn(again), [name]);
  t.true(filesIn(other).includes("lumetry/v1/audit_service.proto"));
  t.false(filesIn(other).includes("google/protobuf/timestamp.proto"));
});

test("extensions are found by number and by the type that they extend", async (t) => {
  const containingType = "google.protobuf.MethodOptions";
  const [byNumber, numbers] = await ask(
    { case: "fileContainingExtension", value: { containingType, extensionNumber: 50001 } },
    { case: "allExtensionNumbersOfType", value: containingType },
  );
  t.true(filesIn(byNumber).includes("lumetry/access/v1/access.proto"));
  t.is(numbers?.case, "allExtensionNumbersResponse");
  if (numbers?.case === "allExtensionNumbersResponse") {
    t.deepEqual(numbers.value.extensionNumber, [50001]);
  }
});

test("what is not there is not found, and the stream goes on", async (t) => {
  const answers = await ask(
    { case: "fileByFilename", value: "no.proto" },
    { case: "fileContainingSymbol", value: "no.such.Symbol" },
    { case: "fileContainingSymbol", value: "" },
    {
      case: "fileContainingExtension",
      value: { containingType: "no.Type", extensionNumber: 1 },
    },
    { case: "allExtensionNumbersOfType", value: "no.Type" },
    { case: undefined },
  );
  const codes = answers.map((answer) =>
    answer.case === "errorResponse" ? answer.value.errorCode : undefined,
  );
  t.deepEqual(codes, [...Array.from({ length: 5 }, () => Code.NotFound), Code.InvalidArgument]);
});

test("reflection can be turned off", async (t) => {
  await using quiet = await startTestServer({ reflection: false });
  const client = createClient(V1, quiet.transport({ protocol: "grpc" }));
  async function* nothing() {}
  const call = client.serverReflectionInfo(nothing())[Symbol.asyncIterator]().next();
  t.is((await refused(call)).code, Code.Unimplemented);
});
