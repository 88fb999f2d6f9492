import test from "ava";
import { type Alerts, openAlerts } from "../../support/alerts.ts";
import { as, openShell, type Shell } from "../../support/cli.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let shell: Shell;
let alerts: Alerts;
let environment: Record<string, string>;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  alerts = openAlerts(server, owner.workspaceId);
  shell = await openShell();
  environment = as(server, owner.token);
});
test.after.always(async () => {
  await shell?.[Symbol.asyncDispose]();
  await alerts?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const lumetry = async (...args: string[]) => {
  const { code, stdout, stderr } = await shell.lumetry(args, { environment });
  return { code, stdout, stderr };
};

test.serial("an incident is listed, taken and silenced by its number", async (t) => {
  await alerts.fire(
    { name: "cpu", labels: { host: "web-1" }, severity: "critical" },
    { name: "memory", labels: { host: "web-1" } },
  );
  const list = await lumetry("incidents", "list");
  t.regex(list.stdout, /#1 +open +critical +(cpu|memory) is wrong +2 of 2 fire/);
  const taken = await lumetry("incidents", "ack", "1", "on my way");
  t.regex(taken.stdout, /acknowledged .* by Olivia Owner/);
  const silenced = await lumetry("incidents", "silence", "#1", "--for", "2h", "--reason", "known");
  t.regex(silenced.stdout, /alerts that fire now +2/);
});

test.serial("it is shown with what happened, and resolved", async (t) => {
  t.is((await lumetry("incidents", "comment", "1", "a cable")).stdout, "The comment was added.\n");
  const shown = await lumetry("incidents", "show", "1");
  t.regex(shown.stdout, /whose +Olivia Owner/);
  t.regex(shown.stdout, /It is about the same host, web-1\./);
  t.regex(
    shown.stdout,
    /acknowledged by Olivia Owner: on my way[\s\S]*commented by Olivia Owner: a cable/,
  );
  t.regex((await lumetry("incidents", "resolve", "1")).stdout, /state +resolved/);
});

test.serial("one that is not there is named", async (t) => {
  const missing = await lumetry("incidents", "show", "99");
  t.is(missing.code, 1);
  t.regex(missing.stderr, /There is no incident #99/);
});

test.serial("silences are made, changed and ended", async (t) => {
  const made = await lumetry(
    ...["silences", "create", "--match", "host=~db-.*", "--severity", "warning,critical"],
    ...["--for", "2h", "--reason", "new disks"],
  );
  t.regex(made.stdout, /about +host=~db-\.\*, severity warning or critical/);
  const id = /sil\.[a-z]{10}/.exec(made.stdout)?.[0] ?? "";
  t.regex((await lumetry("silences", "edit", id, "--for", "5h")).stdout, /in [45] hours/);
  t.is((await lumetry("silences", "end", id)).stdout, `${id} is over.\n`);
  t.regex((await lumetry("silences", "list", "--ended")).stdout, new RegExp(`${id} +ended`));
});

test.serial("a silence of everything is refused", async (t) => {
  const vague = await lumetry("silences", "create", "--for", "2h", "--reason", "x");
  t.is(vague.code, 2);
  t.regex(vague.stderr, /Say what it is about/);
});

test.serial("channels of other kinds are made, and routes to them in order", async (t) => {
  const { stdout } = await lumetry(
    ...["channels", "create", "chat", "https://hooks.slack.com/services/x", "--kind", "slack"],
  );
  t.regex(stdout, /The channel "chat" was created/);
  await lumetry("routes", "create", "rest", "--channel", "chat", "--group-by", "cluster,team");
  const made = await lumetry(
    ...["routes", "create", "urgent", "--severity", "critical", "--channel", "chat"],
    ...["--position", "1", "--continue", "on", "--repeat", "1h"],
  );
  t.regex(made.stdout, /told on +chat/);
  t.regex(made.stdout, /told again +every 1 hour/);
});

test.serial("routes are listed, matched, edited and deleted", async (t) => {
  const list = await lumetry("routes", "list");
  t.regex(
    list.stdout,
    /1 +urgent +severity critical +chat[\s\S]*2 +rest +every alert +chat +cluster, team/,
  );
  const matched = await lumetry("routes", "match", "host=a", "--severity", "warning");
  t.false(matched.stdout.includes("urgent"));
  t.true(matched.stdout.includes("rest"));
  const edited = await lumetry("routes", "edit", "urgent", "--every-alert", "--nobody");
  t.regex(edited.stdout, /alerts +every alert/);
  t.regex(edited.stdout, /told on +nobody/);
  t.is((await lumetry("routes", "delete", "urgent")).stdout, "The route urgent was deleted.\n");
});
