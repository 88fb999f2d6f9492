import test from "ava";
import { makeFailures } from "../../../edge/host-metrics/failures.ts";
import type { Mount } from "../../../edge/host-metrics/mounts.ts";
import { makeAskSpace, type Space } from "../../../edge/host-metrics/space.ts";
import { hurriedClock, makeListeningLog } from "./fixtures.ts";

const space: Space = { bsize: 1, blocks: 10, bfree: 5, bavail: 5 };
let number = 0;
const mount = (mountPoint: string, type: string): Mount => ({
  id: "1",
  parent: "1",
  deviceNumber: `0:${number++}`,
  root: "/",
  mountPoint,
  type,
  source: "",
});

/** Mounts of which some hang until told otherwise. */
function makeHost() {
  const hanging = new Map<string, (() => void)[]>();
  const asked: string[] = [];
  const { log, warnings } = makeListeningLog();
  const ask = makeAskSpace(makeFailures(log), hurriedClock, (path) => {
    asked.push(path);
    const waiting = hanging.get(path);
    if (waiting === undefined) return Promise.resolve(space);
    return new Promise((resolve) => waiting.push(() => resolve(space)));
  });
  return {
    warnings,
    hang: (path: string) => hanging.set(path, []),
    async revive(path: string) {
      const waiting = hanging.get(path) ?? [];
      hanging.delete(path);
      for (const answer of waiting) answer();
      await new Promise(setImmediate);
    },
    /** The mount points that answer, and those that were asked in this round. */
    async round(mounts: Mount[]) {
      asked.length = 0;
      const answers = await ask(mounts);
      return { answered: answers.map(([{ mountPoint }]) => mountPoint), asked: [...asked] };
    },
  };
}

test("a dead network mount is left out, not asked again while it hangs, and comes back", async (t) => {
  const host = makeHost();
  const mounts = [mount("/", "ext4"), mount("/a", "nfs4"), mount("/b", "nfs4")];
  host.hang("/a");
  t.deepEqual((await host.round(mounts)).answered, ["/", "/b"]);
  t.deepEqual(await host.round(mounts), { answered: ["/", "/b"], asked: ["/", "/b"] });
  t.is(host.warnings.length, 1);
  t.regex(host.warnings[0]?.part ?? "", /\/a$/);
  await host.revive("/a");
  t.deepEqual((await host.round(mounts)).answered.sort(), ["/", "/a", "/b"]);
  host.hang("/a");
  await host.round(mounts);
  t.is(host.warnings.length, 2);
});

test("dead mounts never hold more than two threads, and local disks are measured all the same", async (t) => {
  const host = makeHost();
  const dead = ["/n1", "/n2", "/n3", "/n4", "/n5"];
  const mounts = [
    ...dead.map((path) => mount(path, "nfs")),
    mount("/", "ext4"),
    mount("/d", "xfs"),
  ];
  for (const path of dead) host.hang(path);
  const first = await host.round(mounts);
  t.deepEqual(first.answered, ["/", "/d"]);
  t.is(first.asked.filter((path) => dead.includes(path)).length, 2);
  t.deepEqual(await host.round(mounts), { answered: ["/", "/d"], asked: ["/", "/d"] });
  t.is(host.warnings.length, 5);
});

test("a dead local disk leaves the network mounts alone", async (t) => {
  const host = makeHost();
  const mounts = [mount("/", "ext4"), mount("/d", "ext4"), mount("/n", "nfs")];
  host.hang("/");
  t.deepEqual((await host.round(mounts)).answered, ["/n"]);
  t.deepEqual((await host.round(mounts)).answered, ["/n"]);
  await host.revive("/");
  t.deepEqual((await host.round(mounts)).answered, ["/", "/d", "/n"]);
});

test("a mount that was taken away while it failed is news when it fails again", async (t) => {
  const host = makeHost();
  const dead = mount("/a", "nfs");
  host.hang("/a");
  await host.round([dead]);
  await host.round([]);
  await host.round([dead]);
  t.is(host.warnings.length, 2);
});

test("a mount that may not be looked at is reported once and the others are measured", async (t) => {
  const { log, warnings } = makeListeningLog();
  const ask = makeAskSpace(makeFailures(log), hurriedClock, async (path) => {
    if (path === "/secret") throw new Error("EACCES: permission denied");
    return space;
  });
  const mounts = [mount("/secret", "ext4"), mount("/", "ext4")];
  for (let round = 0; round < 3; round++) t.is((await ask(mounts)).length, 1);
  t.deepEqual(
    warnings.map(({ reason }) => reason),
    ["EACCES: permission denied"],
  );
});
