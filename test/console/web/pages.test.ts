/** Every page in a real browser: accessible in both themes, within its policy, and on a phone. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import test, { type ExecutionContext } from "ava";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { buildIfStale } from "../../../console/web/build.ts";
import { signIn, startBrowser, type Visit, visit, WIDTHS } from "../../support/browser.ts";
import { addFleet, type Fleet } from "../../support/fleet.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { STOPS } from "./tour.ts";

/** What WCAG 2.2 asks for, up to level AA, in the words of axe. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

let server: TestServer;
let browser: Browser;
let owner: Owner;
let fleet: Fleet;
let state: Awaited<ReturnType<BrowserContext["storageState"]>>;
/** In which all pages are looked at, one after the other. */
let seen: Visit;
let axe: string;

test.before(async (t) => {
  t.timeout(300_000, "others may load the machine while the fleet is made");
  await buildIfStale();
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  [server, browser] = await Promise.all([startTestServer(), startBrowser()]);
  owner = await setUp(server);
  fleet = await addFleet(server, owner);
  await using door = await visit(browser, server.url);
  await signIn(door.page, owner);
  state = await door.context.storageState();
  seen = await visit(browser, server.url, { state });
});
test.after.always(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

/** What axe finds wrong with what is on the screen, in a line each. */
async function audit(page: Page, rules?: string[]): Promise<string[]> {
  if (!(await page.evaluate("typeof axe !== 'undefined'"))) await page.evaluate(axe);
  const options = rules
    ? { runOnly: { type: "rule", values: rules } }
    : { runOnly: { type: "tag", values: TAGS } };
  const found = (await page.evaluate(
    `axe.run(document, ${JSON.stringify({ ...options, resultTypes: ["violations"] })}).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
        id + " at " + target.join(" ") + ": " + failureSummary.split("\\n").slice(1, 3).join(" "))))`,
  )) as string[];
  return found;
}

/** Nothing sticks out to the side. */
async function assertFits(t: ExecutionContext, page: Page, words: string): Promise<void> {
  // A chart takes its new width a moment after the window has.
  await page
    .waitForFunction(
      () => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
      undefined,
      { timeout: 10_000 },
    )
    .catch(() => {});
  const [excess, widest] = await page.evaluate((): [number, string[]] => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const wide = [...document.querySelectorAll("main *")].filter(
      (element) => element.getBoundingClientRect().right > clientWidth,
    );
    return [
      scrollWidth - clientWidth,
      wide
        .slice(0, 5)
        .map(
          ({ tagName, className, textContent }) =>
            `${tagName}.${className} ${textContent?.slice(0, 40)}`,
        ),
    ];
  });
  t.true(excess <= 0, `${words}: ${excess} pixels stick out: ${widest.join("; ")}`);
}

async function assertSound(t: ExecutionContext, { page, complaints }: Visit): Promise<void> {
  t.deepEqual(await audit(page), [], "in the light theme");
  await assertFits(t, page, "at 1,280 pixels");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize(WIDTHS.narrow);
  await assertFits(t, page, "at 390 pixels");
  // Of what axe looks at, only these depend on the theme and on the width.
  t.deepEqual(await audit(page, ["color-contrast", "target-size"]), [], "dark, on a phone");
  t.deepEqual(complaints.splice(0), [], "nothing is complained of");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(WIDTHS.wide);
}

for (const { name, path, ready } of STOPS) {
  test.serial(`the page ${name} is accessible, fits, and keeps to its policy`, async (t) => {
    await seen.page.goto(path(fleet));
    await ready(seen.page);
    await assertSound(t, seen);
  });
}

test.serial("the doors are accessible, fit, and keep to their policy", async (t) => {
  await using visited = await visit(browser, server.url);
  await visited.page.goto("/collectors");
  await visited.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await assertSound(t, visited);
  await using invited = await visit(browser, server.url);
  await invited.page.goto("/invitation");
  await invited.page.getByRole("heading", { name: /invitation/ }).waitFor();
  await assertSound(t, invited);
});

test.serial("every page of the navigation is on this list", async (t) => {
  await seen.page.goto("/");
  await seen.page.getByRole("navigation").first().waitFor();
  const links = await seen.page
    .locator("nav a")
    .evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  const known = STOPS.map(({ path }) => path(fleet).split("?")[0]);
  t.deepEqual(
    links.filter((link) => !known.includes(link ?? "")),
    [],
  );
});

test.serial("nothing moves about while a page finds out what it shows", async (t) => {
  await using visited = await visit(browser, server.url, { state });
  const { page } = visited;
  await page.addInitScript(() => {
    const seen = window as unknown as { shift: number };
    seen.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        seen.shift += (entry as unknown as { value: number }).value;
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  for (const name of [
    "overview",
    "collectors",
    "agents",
    "sources",
    "channels",
    "people",
    "audit",
  ]) {
    const stop = STOPS.find((each) => each.name === name);
    await page.goto(stop?.path(fleet) ?? "");
    await stop?.ready(page);
    const shift = await page.evaluate(() => (window as unknown as { shift: number }).shift);
    t.true(shift < 0.1, `${name}: ${shift}`);
  }
});
