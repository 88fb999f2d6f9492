/** How Lumetry watches the fleet, seen and changed in a browser. */
import test from "ava";
import type { Browser, Page } from "playwright-core";
import { buildIfStale } from "../../../console/web/build.ts";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  SystemAlertKind as Kind,
  SystemAlertService,
} from "../../../gen/lumetry/v1/system_alert_service_pb.js";
import { signIn, startBrowser, visit, WIDTHS } from "../../support/browser.ts";
import { addCollector, makeProcess } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import {
  addPerson,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

let server: TestServer;
let browser: Browser;
let owner: Owner;

test.before(async () => {
  await buildIfStale();
  [server, browser] = await Promise.all([startTestServer(), startBrowser()]);
  owner = await setUp(server);
});
test.after.always(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

const cardOf = (page: Page, title: string) => page.getByRole("listitem", { name: title });
const kinds = () => server.client(SystemAlertService, owner.token);
const kindNow = async (kind: Kind) => {
  const { kinds: all } = await kinds().listSystemAlertKinds({});
  return all.find((each) => each.kind === kind)?.settings;
};

test.serial("a threshold is changed, seen, reset, and the reset undone", async (t) => {
  await using visited = await visit(browser, server.url);
  const { page } = visited;
  await signIn(page, owner);
  await page.getByRole("link", { name: "System alerts", exact: true }).click();
  const card = cardOf(page, "Agent offline");
  await card.getByText("3 heartbeats", { exact: true }).waitFor();
  t.is(await card.getByText("changed", { exact: true }).count(), 0);
  await card.getByRole("button", { name: "Change Agent offline" }).click();

  const dialog = page.getByRole("dialog");
  const save = dialog.getByRole("button", { name: "Save" });
  t.true(await save.isDisabled(), "nothing is changed yet");
  const threshold = dialog.getByLabel("From so many missed heartbeats on");
  await threshold.fill("1");
  await dialog.getByText("Write a whole number from 2 to 1,000.").waitFor();
  t.true(await save.isDisabled());
  await threshold.fill("7");
  const holdDown = dialog.getByLabel("Hold-down", { exact: true });
  // What is emptied on the way, or is too long for any span, is a mistake as well, and nothing breaks.
  for (const odd of ["", "99999999999999999999"]) {
    await holdDown.fill(odd);
    await dialog.getByText(/^Write .*24 hours/).waitFor();
  }
  await holdDown.fill("25");
  await dialog.getByLabel("Hold-down: unit").selectOption("hours");
  await dialog.getByText("Write a span of up to 24 hours").waitFor();
  t.true(await save.isDisabled());
  await holdDown.fill("90");
  await dialog.getByLabel("Hold-down: unit").selectOption("minutes");
  await dialog.getByLabel("Severity").selectOption("info");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  await card.getByText("7 heartbeats (usually 3 heartbeats)").waitFor();
  await card.getByText("90 minutes (usually 30 seconds)").waitFor();
  await card.getByText("info (usually warning)").waitFor();
  t.like(await kindNow(Kind.AGENT_MISSED_HEARTBEATS), {
    threshold: { case: "heartbeats", value: 7 },
  });

  await page.getByRole("button", { name: "Changed", exact: true }).click();
  await page.waitForURL(/show=changed/);
  t.is(await page.getByRole("main").getByRole("listitem").count(), 1);
  await page.getByRole("button", { name: "All", exact: true }).click();
  await card.getByRole("button", { name: "Reset Agent offline" }).click();
  await card.getByText("3 heartbeats", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await card.getByText("7 heartbeats (usually 3 heartbeats)").waitFor();
  await card.getByRole("button", { name: "Reset Agent offline" }).click();
  await card.getByText("3 heartbeats", { exact: true }).waitFor();
  await card.getByText("changed", { exact: true }).waitFor({ state: "detached" });
  t.deepEqual(visited.complaints, []);
});

test.serial("what somebody else changes meanwhile is said, and neither side is lost", async (t) => {
  await using visited = await visit(browser, server.url);
  const { page } = visited;
  await signIn(page, owner);
  await page.goto("/system-alerts");
  await page.getByRole("button", { name: "Change Series limit near" }).click();
  const dialog = page.getByRole("dialog");
  const save = dialog.getByRole("button", { name: "Save" });
  await dialog.getByLabel("From so many % on").fill("80");
  await kinds().updateSystemAlertKind({
    kind: Kind.SERIES_LIMIT_NEAR,
    threshold: { case: "percent", value: 95 },
    enabled: false,
  });
  // It is either seen by now, or looked for before anything is saved.
  await save.click({ force: true });
  await dialog.getByText("Somebody else has changed this meanwhile.").waitFor();
  t.true(await save.isDisabled());
  t.like(await kindNow(Kind.SERIES_LIMIT_NEAR), { threshold: { case: "percent", value: 95 } });
  await dialog.getByRole("button", { name: "Go on from there" }).click();
  t.is(await dialog.getByLabel("From so many % on").inputValue(), "80");
  t.false(await dialog.getByLabel(/^Watched/).isChecked());
  await save.click();
  const card = cardOf(page, "Series limit near");
  await card.getByText("80% (usually 90%)").waitFor();
  await card.getByText("off", { exact: true }).waitFor();
  t.like(await kindNow(Kind.SERIES_LIMIT_NEAR), {
    enabled: false,
    threshold: { case: "percent", value: 80 },
  });
});

test.serial("a viewer sees how it is watched, and changes nothing", async (t) => {
  const viewer = await addPerson(server, owner.token, Role.VIEWER);
  await using visited = await visit(browser, server.url);
  const { page } = visited;
  await signIn(page, viewer);
  await page.goto("/system-alerts");
  await cardOf(page, "Clock skew").getByText("30 seconds", { exact: true }).waitFor();
  t.is(await page.getByRole("button", { name: /^(Change|Reset) / }).count(), 0);
  await page.goto("/alerts?kind=clock_skew");
  await page.getByText("of the kind clock skew").waitFor();
});

test.serial("heartbeats are told in full on a phone, and the last day goes on", async (t) => {
  const { collectorId, credential } = await addCollector(server, owner, "quiet-host");
  const run = makeProcess(server, credential);
  await run.beat();
  await server.sql(
    `update edge_contacts set started_at = started_at - interval '40 minutes',
      ended_at = ended_at - interval '30 minutes' where edge_id = '${collectorId}'`,
  );
  await run.beat();
  await using visited = await visit(browser, server.url);
  const { page } = visited;
  await signIn(page, owner);
  await page.clock.install();
  await page.setViewportSize(WIDTHS.narrow);
  await page.goto(`/collectors/${collectorId}?tab=heartbeats`);
  await page.getByRole("columnheader", { name: "To", exact: true }).waitFor();
  const cut = await page
    .locator("td .two-lines")
    .evaluateAll((all) =>
      all.flatMap(({ parentElement: cell }) =>
        cell && cell.scrollWidth > cell.clientWidth ? [cell.textContent] : [],
      ),
    );
  t.deepEqual(cut, []);

  const left = () =>
    page
      .locator(".last-day span")
      .last()
      .evaluate(({ style }) => style.left);
  // A page that is hidden does not ask, so that nothing comes that would have it drawn again.
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  // By then all that it had asked for has come, and counts as old.
  await page.clock.runFor(10_000);
  const before = await left();
  await page.clock.fastForward(20 * 60_000);
  await eventually("the last day has moved", async () => (await left()) !== before);
  t.pass();
});
