import test from "ava";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { type Ground, protocolSuite } from "../../suites/protocols.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { allWays } from "../../support/ways.ts";

let server: TestServer;
let ground: Ground;

test.before(async () => {
  server = await startTestServer();
  const { token } = await setUp(server);
  const keys = server.client(IngestionKeyService, token);
  const { secret } = await keys.createIngestionKey({ displayName: "a machine" });
  ground = { ways: await allWays(server), token, ingestionKey: secret };
});
test.after.always(() => server?.[Symbol.asyncDispose]());

protocolSuite(test, () => ground);
