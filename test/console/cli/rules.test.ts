import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { ListAlertsResponseSchema } from "../../../gen/lumetry/v1/alert_service_pb.js";
import {
  ApplyRulesResponse_Action as Action,
  ApplyRulesResponseSchema,
} from "../../../gen/lumetry/v1/rule_service_pb.js";
import { as, openShell, type Shell } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { addSender, seriesOf } from "../../support/points.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let shell: Shell;
let environment: Record<string, string>;
let token: string;
test.before(async () => {
  server = await startTestServer();
  ({ token } = await setUp(server));
  shell = await openShell();
  environment = as(server, token);
});
test.after.always(async () => {
  await shell?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const lumetry = (...args: string[]) => shell.lumetry(args, { environment });
const MINUTE = 60_000;

test.serial("a rule is previewed, created, fires, is shown and deleted", async (t) => {
  const sender = await addSender(server, token);
  const now = Date.now();
  // Twice within the last hours, for five minutes each, and now.
  const points = Array.from({ length: 90 }, (_, minute): [number, number] => {
    const isHigh = (minute >= 20 && minute < 60 && minute % 15 < 5) || minute === 89;
    return [now - (90 - minute) * MINUTE + 50_000, isHigh ? 0.97 : 0.3];
  });
  await sender.metrics.writeMetrics({
    series: [seriesOf("disk.used", { host: "web-1" }, ...points)],
  });
  const previewed = await lumetry(
    ...["rules", "preview", "--metric", "disk.used", "--above", "0.9", "--since", "2h"],
  );
  t.is(previewed.code, 0, previewed.stderr);
  t.regex(previewed.stdout, /^It would have fired 3 times from .* on 1 series\./);
  t.regex(previewed.stdout, /5 minutes +disk\.used is 0\.97, above 0\.9 \(host=web-1\)/);
  t.regex(previewed.stdout, /still firing/);
  t.log(previewed.stdout);

  const created = await lumetry(
    ...["rules", "create", "disk full", "disk.used", "--above", "0.9", "--severity", "critical"],
    ...["--message", "{{ $labels.host }} is at {{ $value }}", "--set", "team=storage"],
  );
  t.is(created.code, 0, created.stderr);
  t.regex(created.stdout, /^The rule "disk full" was created: rul\.[a-z]{10}/);
  t.regex((await lumetry("rules", "list", "--search", "K FULL")).stdout, /^disk full /m);
  t.notRegex((await lumetry("rules", "list", "--search", "k_full")).stdout, /disk full/);
  await sender.metrics.writeMetrics({
    series: [seriesOf("disk.used", { host: "web-1" }, [Date.now() - 3_000, 0.99])],
  });
  const { alerts } = await eventually("it fires", async () => {
    const found = await shell.ask(ListAlertsResponseSchema, ["alerts", "list"], { environment });
    return found.alerts.length > 0 && found;
  });
  const listed = await lumetry("alerts", "list");
  t.regex(listed.stdout, /firing +critical +.*web-1 is at 0\.\d+ +disk full/);
  const shown = await lumetry("alerts", "show", alerts[0]?.alertId ?? "");
  t.regex(shown.stdout, /labels +host=web-1 team=storage/);
  t.regex(shown.stdout, /DECIDED BY +VALUE/);
  t.log(shown.stdout);
  t.regex((await lumetry("rules", "list")).stdout, /disk full .* critical .* 1 +0/);
  t.regex((await lumetry("rules", "show", "DISK FULL")).stdout, /wrong when +average over/);
  const disabled = await lumetry("rules", "edit", "disk full", "--disable");
  t.regex(disabled.stdout, /enabled +no/);
  t.is((await lumetry("alerts", "list")).stdout, "Nothing is wrong.\n");
  t.regex((await lumetry("alerts", "list", "--all")).stdout, /resolved/);
  t.is((await lumetry("rules", "delete", "disk full")).code, 0);
});

test.serial("a file of rules is applied as often as one likes", async (t) => {
  const file = path.join(shell.home, "rules.json");
  const rule = (displayName: string, value: number) => ({
    displayName,
    metric: "system.cpu.utilization",
    severity: "SEVERITY_WARNING",
    window: "300s",
    threshold: { direction: "DIRECTION_ABOVE", value },
  });
  const apply = async (...more: string[]) => {
    const args = ["rules", "apply", "-f", file, ...more];
    const { rules } = await shell.ask(ApplyRulesResponseSchema, args, { environment });
    return rules.map(({ displayName, action }) => [displayName, Action[action]]);
  };
  await writeFile(file, JSON.stringify([rule("busy", 0.9), rule("very busy", 0.99)]));
  const added = [
    ["busy", "CREATED"],
    ["very busy", "CREATED"],
  ];
  t.deepEqual(await apply("--dry-run"), added);
  t.deepEqual(await apply(), added);
  t.regex((await lumetry("rules", "apply", "-f", file)).stdout, /All of it is so already\./);
  await writeFile(file, JSON.stringify({ rules: [rule("Busy", 0.8)] }));
  t.deepEqual(await apply("--delete-others"), [
    ["Busy", "UPDATED"],
    ["very busy", "DELETED"],
  ]);
  const saved = path.join(shell.home, "saved.json");
  const all = await lumetry("rules", "list", "--json");
  await writeFile(saved, all.stdout);
  t.regex((await lumetry("rules", "apply", "-f", saved)).stdout, /All of it is so already\./);
});

test.serial("a rule that makes no sense is refused in words, and nothing is changed", async (t) => {
  const file = path.join(shell.home, "wrong.json");
  const wrong = async (text: string, ...args: string[]) => {
    await writeFile(file, text);
    const { code, stderr } = await lumetry(
      ...(args.length > 0 ? args : ["rules", "apply", "-f", file]),
    );
    t.not(code, 0);
    return stderr;
  };
  t.regex(await wrong("{"), /wrong\.json is not JSON/);
  t.regex(await wrong('[{"displayName": "a", "metrik": "b"}]'), /rule 1 does not say .*metrik/);
  const base = { displayName: "a", metric: "b", severity: "SEVERITY_INFO" };
  const bound = (more: object) => ({
    threshold: { direction: "DIRECTION_ABOVE", value: 1, ...more },
  });
  const two = JSON.stringify([
    { ...base, ...bound({}) },
    { ...base, ...bound({}), message: "{{ .x }}" },
  ]);
  t.regex(
    await wrong(two),
    /The rule "a": message: "\{\{ \.x \}\}" says nothing; write \{\{ \$value/,
  );
  t.regex(
    await wrong(JSON.stringify({ ...base, ...bound({ recoveryValue: 2 }) })),
    /recovery_value \(2\) lies beyond the bound \(1\)/,
  );
  t.regex(await wrong("", "rules", "create", "a", "b"), /Use one of --above, --below and --absent/);
  t.regex(
    await wrong("", ..."rules create a b --above 1 -l host=~(".split(" ")),
    /no regular expression/,
  );
  const { stdout } = await lumetry("rules", "list");
  t.notRegex(stdout, /^a /m);
});
