/** What others wrote is shown as they wrote it, and is never more than text. */
import test from "ava";
import type { Browser, Page } from "playwright-core";
import { buildIfStale } from "../../../console/web/build.ts";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { UserService } from "../../../gen/lumetry/v1/user_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { openAlerts } from "../../support/alerts.ts";
import { signIn, startBrowser, type Visit, visit } from "../../support/browser.ts";
import { edgeCalls, enroll, makeProcess, register } from "../../support/collector.ts";
import { addSender, seriesOf } from "../../support/points.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { addSource } from "../../support/worker.ts";

const MARKUP = `<img src=x onerror="window.pwned=1">"'><script>window.pwned=1</script>`;
const BACKWARDS = "\u202Egro.live\u202C ‮ עברית";
const LONG = "W".repeat(128);

let server: TestServer;
let browser: Browser;
let owner: Owner;
let seen: Visit;
const ids: string[] = [];

test.before(async () => {
  await buildIfStale();
  [server, browser] = await Promise.all([startTestServer(), startBrowser()]);
  owner = await setUp(server);
  const zones = server.client(ZoneService, owner.token);
  for (const name of [MARKUP, BACKWARDS, LONG]) {
    await zones.createZone({ displayName: name });
    const { token, collectorId } = await register(server, owner, name);
    ids.push(collectorId);
    const { credential } = await enroll(server, token, {
      host: { hostname: name.slice(0, 120), kernelVersion: name, machineFingerprint: "f" },
    });
    await makeProcess(server, credential, name.slice(0, 120)).beat({ version: name.slice(0, 60) });
    await edgeCalls(server, credential).metrics.writeMetrics({
      batchId: "1",
      series: [
        seriesOf("hostile.metric", { evil: name.repeat(7).slice(0, 1000) }, [
          Date.now() - 5_000,
          1,
        ]),
      ],
      metadata: [{ metric: "hostile.metric", unit: "<b>", description: MARKUP }],
    });
  }
  await server
    .client(UserService, owner.token)
    .createUser({ email: "x@example.com", displayName: MARKUP, role: 1 });
  await addSender(server, owner.token, { evil: MARKUP });
  await addSource(server, owner, { displayName: MARKUP, labels: { evil: BACKWARDS } });
  await server
    .client(ChannelService, owner.token)
    .createChannel({ displayName: MARKUP, url: `https://example.com/${LONG}` });
  await server.client(RuleService, owner.token).createRule({
    settings: {
      displayName: MARKUP,
      metric: "hostile.metric",
      message: MARKUP,
      condition: { case: "absence", value: { duration: { seconds: 60n } } },
      severity: 1,
    },
  });
  await using alerts = openAlerts(server, owner.workspaceId);
  await alerts.fire({ name: MARKUP, kind: MARKUP, summary: MARKUP, labels: { evil: MARKUP } });
  seen = await visit(browser, server.url);
  seen.page.on("dialog", (dialog) => {
    seen.complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await signIn(seen.page, owner);
});
test.after.always(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

const isHarmless = (page: Page) =>
  page.evaluate(() => ({
    ran: "pwned" in window,
    images: document.querySelectorAll("main img, main script, main iframe").length,
    excess: Math.max(
      0,
      document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ),
  }));

test.serial(
  "names, labels and descriptions of markup, backwards or endless are only text",
  async (t) => {
    const { page, complaints } = seen;
    const paths = [
      ["/collectors", MARKUP],
      [`/collectors/${ids[0]}`, MARKUP],
      [`/collectors/${ids[0]}?tab=processes`, MARKUP.slice(0, 40)],
      [`/collectors/${ids[1]}`, "עברית"],
      [`/collectors/${ids[2]}`, LONG],
      ["/zones", MARKUP],
      ["/explore?metric=hostile.metric", MARKUP],
      ["/people", MARKUP],
      ["/ingestion-keys", "<script>"],
      ["/audit", MARKUP],
      ["/sources", MARKUP],
      ["/sources/new", "Prometheus"],
      ["/work", MARKUP],
      ["/channels", MARKUP],
      ["/rules", MARKUP],
      ["/alerts", MARKUP],
      ["/incidents", MARKUP],
    ] as const;
    for (const [path, text] of paths) {
      await page.goto(path);
      await page.getByText(text).filter({ visible: true }).first().waitFor();
      t.deepEqual(await isHarmless(page), { ran: false, images: 0, excess: 0 }, path);
    }
    t.deepEqual(complaints, []);
  },
);

test.serial(
  "an address that somebody else made up asks for nothing but what it says",
  async (t) => {
    const { page, complaints } = seen;
    for (const path of [
      `/explore?metric=${encodeURIComponent(MARKUP)}&match=${encodeURIComponent(`a=${MARKUP}`)}`,
      `/collectors?search=${encodeURIComponent(MARKUP)}&show=constructor&sort=-1&matter=abc`,
      "/collectors/%3Cscript%3E",
      "/explore?metric=a&from=1e99&to=2e99&last=-5&agg=constructor&group=top0&step=-1",
      `/api?rpc=${encodeURIComponent("__proto__")}`,
    ]) {
      await page.goto(path);
      await page.getByRole("heading").first().waitFor();
      t.like(await isHarmless(page), { ran: false, images: 0 }, path);
    }
    t.deepEqual(complaints, []);
  },
);

test.serial("a message of a megabyte is shown within its box", async (t) => {
  const { page, complaints } = seen;
  const message = `${MARKUP} ${"long ".repeat(200_000)}`;
  await page.route("**/lumetry.v1.ZoneService/CreateZone", (route) =>
    route.fulfill({
      status: 400,
      contentType: "application/json",
      body: JSON.stringify({ code: "invalid_argument", message }),
    }),
  );
  await page.goto("/zones");
  await page.getByRole("button", { name: "Add a zone" }).click();
  await page.getByLabel("Name", { exact: true }).fill("x");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("alert").waitFor();
  t.deepEqual(await isHarmless(page), { ran: false, images: 0, excess: 0 });
  // What was typed is still there, and the way out can be reached.
  t.is(await page.getByLabel("Name", { exact: true }).inputValue(), "x");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  t.deepEqual(complaints, []);
});
