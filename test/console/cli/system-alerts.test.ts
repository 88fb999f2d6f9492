import test from "ava";
import { as, openShell } from "../../support/cli.ts";
import { setUp, startTestServer } from "../../support/server.ts";

test("what is watched is listed, explained, set and reset", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  await using shell = await openShell();
  const environment = as(server, owner.token);
  const type = (...words: string[]) => shell.lumetry(["system-alerts", ...words], { environment });

  const list = await type("list");
  t.regex(list.stdout, /clock_skew +nothing +warning +30 seconds +1 minute +5 minutes/);

  const set = await type(
    "set",
    "agent_missed_heartbeats",
    "--threshold",
    "10",
    "--severity",
    "info",
  );
  t.regex(set.stdout, /^Agent offline\. /);
  t.regex(set.stdout, /severity +info \(usually warning\)/);
  t.regex(set.stdout, /from +10 heartbeats \(usually 3 heartbeats\)/);
  const off = await type("set", "points_dropped", "--enabled", "off");
  t.regex(off.stdout, /watched +no/);
  t.regex((await type("list")).stdout, /points_dropped +nothing +off/);
  t.regex((await type("reset", "agent_missed_heartbeats")).stdout, /from +3 heartbeats\n/);

  const wrongForm = await type("set", "clock_skew", "--threshold", "90%");
  t.is(wrongForm.code, 1);
  t.regex(wrongForm.stderr, /clock_skew cannot be a percentage: it has a span of time/);
  const wrongKind = await type("show", "clock");
  t.is(wrongKind.code, 2);
  t.regex(wrongKind.stderr, /Choose from collector_missed_heartbeats/);
  t.is((await type("set", "clock_skew")).code, 2);

  const json = await shell.lumetry(["--json", "system-alerts", "show", "clock_skew"], {
    environment,
  });
  t.like(JSON.parse(json.stdout), { kinds: [{ kind: "SYSTEM_ALERT_KIND_CLOCK_SKEW" }] });
});
