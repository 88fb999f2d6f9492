import test from "ava";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { setUp, startTestServer } from "../support/server.ts";
import { tryIdentity } from "./identity.ts";

/** Others each time; a failure names them. */
const seed = Number(process.env.LUMETRY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test("killed at moments of chance while it enrolls and rotates, a collector is never locked out", async (t) => {
  await using server = await startTestServer({ heartbeatInterval: 1000 });
  const owner = await setUp(server);
  const rounds = [seed, seed + 1].map(async (own) => {
    const strikes: string[] = [];
    const problems = await tryIdentity(server, owner, randomFrom(own), (words) => {
      strikes.push(words);
    });
    t.deepEqual(problems, [], `seed ${own}: ${strikes.join(", ")}`);
  });
  await Promise.all(rounds);
});
