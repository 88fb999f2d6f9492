/** What a page needs first is asked for while its code is still loading, once and not in vain. */
import test from "ava";
import type { Browser, BrowserContext, Page, Request } from "playwright-core";
import { buildIfStale } from "../../../console/web/build.ts";
import { signIn, startBrowser, visit } from "../../support/browser.ts";
import { eventually } from "../../support/eventually.ts";
import { addCollectors } from "../../support/many-collectors.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let browser: Browser;
let state: Awaited<ReturnType<BrowserContext["storageState"]>>;
test.before(async () => {
  await buildIfStale();
  [server, browser] = await Promise.all([startTestServer(), startBrowser()]);
  const owner = await setUp(server);
  await addCollectors(server, owner, 3);
  await using door = await visit(browser, server.url);
  await signIn(door.page, owner);
  state = await door.context.storageState();
});
test.after.always(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

const CODE = /\/assets\/console-\w+\.js$/;
const LISTS = ["/collectors", "/agents"];

/** Notes the calls of a page, each with what it asks. */
function callsOf(page: Page): string[] {
  const calls: string[] = [];
  page.on("request", (request: Request) => {
    const { pathname } = new URL(request.url());
    if (!pathname.startsWith("/lumetry.")) return;
    calls.push(`${pathname} ${request.postDataBuffer()?.toString("base64") ?? ""}`);
  });
  return calls;
}

for (const where of LISTS) {
  test(`${where}: what is asked early is what the page asks`, async (t) => {
    await using plain = await visit(browser, server.url, { state });
    await plain.page.route("**/early-*.js", (route) => route.fulfill({ body: "" }));
    const asked = callsOf(plain.page);
    await plain.page.goto(where);
    await plain.page.getByText(where === "/agents" ? /^0 agents/ : /^3 collectors/).waitFor();

    await using held = await visit(browser, server.url, { state });
    await held.page.route(CODE, () => {});
    const early = callsOf(held.page);
    await held.page.goto(where, { waitUntil: "commit" });
    await eventually("four calls", () => early.length === 4);
    for (const call of early) t.true(asked.includes(call), call);
  });
}

test("an early answer is the page's: it asks no more", async (t) => {
  await using visited = await visit(browser, server.url, { state });
  const { page, complaints } = visited;
  const answered: string[] = [];
  page.on("requestfinished", (request) => answered.push(new URL(request.url()).pathname));
  await page.route(CODE, async (route) => {
    await eventually("an early answer", () =>
      answered.some((each) => each.endsWith("/ListCollectors")),
    );
    await page.route("**/ListCollectors", (call) => call.abort());
    await route.continue();
  });
  await page.goto("/collectors");
  await page.locator("tbody tr[data-row]").first().waitFor();
  t.deepEqual(complaints, []);
});

test("of somebody who is not signed in nothing is asked but who they are", async (t) => {
  await using visited = await visit(browser, server.url);
  const { page, complaints } = visited;
  const calls = callsOf(page);
  await page.goto("/collectors");
  await page.getByLabel("E-mail address").waitFor();
  t.deepEqual(
    calls.map((call) => call.split(/[/ ]/)[2]),
    ["GetSession", "GetSetup"],
  );
  t.deepEqual(complaints, []);
});

test("who signs out leaves no mark of having been there", async (t) => {
  await using visited = await visit(browser, server.url, { state });
  const { page, context } = visited;
  await page.goto("/collectors");
  await page.locator("tbody tr[data-row]").first().waitFor();
  const mark = () => page.evaluate(() => localStorage.getItem("lumetry.signed-in"));
  t.is(await mark(), "yes");
  await context.clearCookies();
  await page.goto("/collectors");
  await page.getByLabel("E-mail address").waitFor();
  await eventually("no mark", async () => (await mark()) === null);
  t.pass();
});
