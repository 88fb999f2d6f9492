import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test from "ava";

const CHILD = fileURLToPath(new URL("netns-child.ts", import.meta.url));
const NAMESPACES = ["--user", "--map-root-user", "--net", "--mount"];

/** Needs `unshare` and `ip`, and a kernel that gives namespaces to whoever runs the tests. */
const isPermitted =
  spawnSync("unshare", [...NAMESPACES, "ip", "link", "set", "lo", "up"]).status === 0;

(isPermitted ? test : test.skip)(
  "of hundreds of ways to write a forbidden address, none is ever connected to (needs network namespaces)",
  async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), "lumetry-egress-"));
    const resolver = path.join(folder, "resolv.conf");
    await writeFile(resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    try {
      const script = 'mount --bind "$1" /etc/resolv.conf && exec "$2" "$3"';
      const { stdout } = await promisify(execFile)(
        "unshare",
        [...NAMESPACES, "sh", "-c", script, "sh", resolver, process.execPath, CHILD],
        { maxBuffer: 10_000_000 },
      );
      const { hosts, urls, outcomes, rebound, mixed, others } = JSON.parse(stdout);
      t.true(hosts > 400 && urls > 40);
      for (const [policy, { attempts, reached, wrong }] of Object.entries<{
        attempts: number;
        reached: number;
        wrong: string[];
      }>(outcomes)) {
        t.deepEqual(wrong, [], policy);
        t.is(attempts, 3 * hosts + 2 * urls);
        // Where connecting is allowed it happens, and is seen: the trap works.
        t.true(reached > 20, policy);
      }
      t.deepEqual(rebound, ["10.1.2.3"]);
      t.deepEqual(mixed, ["10.1.2.3"]);
      t.deepEqual(others, []);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
