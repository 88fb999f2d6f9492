import { setTimeout as sleep } from "node:timers/promises";
import { buildIfStale } from "../../console/web/build.ts";
import { signIn, startBrowser, visit } from "../support/browser.ts";
import { addCollectors } from "../support/many-collectors.ts";
import { setUp, startTestServer } from "../support/server.ts";
import type { BenchOptions } from "./main.ts";
import { median, round, type Section } from "./report.ts";

const MOST_KB = 250;
const MOST_MS = 1_000;
const COLLECTORS = 10_000;
const WINDOW_MS = 3_000;

/** How long somebody waits for the console, in a fresh browser on the server's own machine. */
export async function benchConsole({ quick }: BenchOptions): Promise<Section> {
  const rounds = quick ? 2 : 7;
  await buildIfStale();
  await using server = await startTestServer();
  const browser = await startBrowser();
  try {
    const owner = await setUp(server);
    await addCollectors(server, owner, COLLECTORS);
    await using door = await visit(browser, server.url);
    await signIn(door.page, owner);
    const state = await door.context.storageState();

    const loads: number[] = [];
    const searches: number[] = [];
    let bytes = 0;
    for (let round = 0; round < rounds; round += 1) {
      // A fresh profile each time, so that nothing is cached.
      await using visited = await visit(browser, server.url, { state });
      const { page } = visited;
      // A browser's own window is there before somebody enters an address; its parts load behind it.
      await sleep(WINDOW_MS);
      const begun = performance.now();
      await page.goto("/collectors");
      const first = page.locator("tbody tr[data-row]").first();
      await first.waitFor();
      loads.push(performance.now() - begun);
      bytes = await page.evaluate(() =>
        [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
          .map((entry) => entry as PerformanceResourceTiming)
          .filter(({ name }) => !name.includes("/lumetry."))
          .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
      );
      await page.keyboard.press("/");
      const typed = performance.now();
      await page.keyboard.type("host-09");
      await page.getByText("1,000 collectors").waitFor();
      searches.push(performance.now() - typed);
    }
    return {
      title: "Console",
      about: [
        `A fresh browser opens the list of ${COLLECTORS.toLocaleString("en")} collectors, and searches it; medians of ${rounds}.`,
        "Its window is open, and nothing of the console in it.",
      ],
      tables: [
        {
          head: ["what", "measured", "limit"],
          rows: [
            ["first load, compressed, kB", round(bytes / 1000), round(MOST_KB)],
            ["from the address to the first row, ms", round(median(loads)), round(MOST_MS)],
            [
              "from the first letter of a search to its rows, ms",
              round(median(searches)),
              round(MOST_MS),
            ],
          ],
        },
      ],
      notes: ["A search waits for 150 ms without a letter before it asks."],
    };
  } finally {
    await browser.close();
  }
}
