/** A fleet of 10,000 in a real browser: searched and sorted by the server, drawn a screen at a time. */
import { readFile } from "node:fs/promises";
import test from "ava";
import type { Browser } from "playwright-core";
import { buildIfStale } from "../../../console/web/build.ts";
import { signIn, startBrowser, type Visit, visit } from "../../support/browser.ts";
import { addCollectors } from "../../support/many-collectors.ts";
import { addSender, seriesOf } from "../../support/points.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

const SERIES = 1_200;

let server: TestServer;
let browser: Browser;
let owner: Owner;
let seen: Visit;
test.before(async () => {
  await buildIfStale();
  [server, browser] = await Promise.all([startTestServer(), startBrowser()]);
  owner = await setUp(server);
  seen = await visit(browser, server.url);
  await signIn(seen.page, owner);
});
test.after.always(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

test.serial(
  "10,000 collectors are searched, sorted and scrolled, and only what is in sight is drawn",
  async (t) => {
    await addCollectors(server, owner, 10_000);
    const { page, complaints } = seen;
    await page.goto("/collectors");
    await page.getByText("10,000 collectors").waitFor();
    const rows = page.locator("tbody tr[data-row]");
    t.true((await rows.count()) < 60);

    await page.keyboard.press("/");
    await page.keyboard.type("host-09999");
    await page.getByText("1 collector", { exact: true }).waitFor();
    t.regex((await rows.first().textContent()) ?? "", /host-09999/);
    await page.keyboard.press("Escape");
    await page.getByText("10,000 collectors").waitFor();

    await page.getByRole("button", { name: "Name" }).click();
    await rows.filter({ hasText: "host-00000" }).waitFor();
    // Down by the keyboard, then by leaps until what was far below is in sight.
    await rows.first().focus();
    for (let step = 0; step < 3; step += 1) await page.keyboard.press("ArrowDown");
    t.is(await page.evaluate(() => document.activeElement?.getAttribute("data-row")), "3");
    const box = page.locator(".table-scroll");
    for (let leap = 0; leap < 6; leap += 1) {
      await box.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      await page.waitForTimeout(150);
    }
    const last = Number(await rows.last().getAttribute("data-row"));
    t.true(last >= 400, `row ${last} was reached`);
    t.true((await rows.count()) < 60);
    t.is(await page.getByRole("table").getAttribute("aria-rowcount"), "10001");
    t.deepEqual(complaints, []);
  },
);

test.serial(
  "more series than fit into an answer come bit by bit: the highest are drawn, all are saved",
  async (t) => {
    const { metrics } = await addSender(server, owner.token);
    const now = Date.now() - 60_000;
    await metrics.writeMetrics({
      batchId: "1",
      series: Array.from({ length: SERIES }, (_, index) =>
        seriesOf("many.things", { thing: String(index) }, [now, index]),
      ),
    });
    const { page, complaints } = seen;
    await page.goto("/explore?metric=many.things");
    await page.getByText(/1,150 more series with lower values are not drawn/).waitFor();
    const legend = page.getByRole("region", { name: "Series of many.things" });
    t.is(await legend.locator("tbody tr").count(), 50);
    t.regex((await legend.locator("tbody tr").first().textContent()) ?? "", /thing=1199/);
    await page.getByRole("button", { name: "Export many.things" }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("menuitem", { name: "Save as CSV" }).click(),
    ]);
    const csv = await readFile(await download.path(), "utf8");
    t.is(csv.trimEnd().split("\r\n").length, SERIES + 1);
    t.regex(csv, /many\.things,thing=0,0\r\n/);
    t.deepEqual(complaints, []);
  },
);
