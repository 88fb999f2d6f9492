import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { setUp, startTestServer } from "../../support/server.ts";
import { watch } from "../../support/watching.ts";

const MINUTE = 60_000;

test("a key that one of two servers lacks is one alert, whichever looks, until that server is gone", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-keys-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const keyFile = async (name: string) => {
    const file = path.join(directory, name);
    await writeFile(file, `${randomBytes(32).toString("base64")}\n`);
    return file;
  };
  const settings = { egressAllow: ["127.0.0.0/8"] };
  await using server = await startTestServer({
    ...settings,
    encryptionKeyFile: await keyFile("shared.key"),
  });
  const { token } = await setUp(server);
  await server
    .client(ChannelService, token)
    .createChannel({ displayName: "ops", url: "http://127.0.0.1:9/hook" });
  const [key] = await server.sql<{ key_id: string }>("select key_id from encryption_keys");
  const other = await startTestServer({
    ...settings,
    databaseUrl: server.databaseUrl,
    encryptionKeyFile: await keyFile("other.key"),
  });
  await using stopping = new AsyncDisposableStack();
  stopping.use(other);
  const noted = () => server.sql("select from server_missing_keys");
  await eventually("the server notes what it lacks", async () => (await noted()).length === 1);

  // Looks in the place of both servers, which look meanwhile as well.
  await using time = await watch(server);
  const told = async () =>
    (await time.alerts())
      .filter(({ system_kind }) => system_kind === "encryption_key_missing")
      .map(({ group_key, state }) => `${group_key} ${state}`);
  /** As each server does every minute. */
  const live = () => server.sql("update server_missing_keys set seen_at = wall_clock()");
  await time.pass(2 * MINUTE, live);
  t.deepEqual(await told(), [`${key?.key_id} firing`]);
  await time.pass(20 * MINUTE, live);
  t.deepEqual(await told(), [`${key?.key_id} firing`]);

  await stopping.disposeAsync();
  t.deepEqual(await noted(), []);
  await time.pass(3 * MINUTE);
  t.deepEqual(await told(), [`${key?.key_id} resolved`]);

  // One that is killed takes nothing back: what it said lapses.
  await server.sql(
    "insert into server_missing_keys (server_id, key_id, server_name) values ('killed', $1, 'host')",
    [key?.key_id],
  );
  await time.pass(2 * MINUTE);
  t.deepEqual(await told(), [`${key?.key_id} resolved`, `${key?.key_id} firing`]);
  await time.pass(8 * MINUTE);
  t.deepEqual(await told(), [`${key?.key_id} resolved`, `${key?.key_id} resolved`]);
});
