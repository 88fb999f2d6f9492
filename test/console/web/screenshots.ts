/**
 * Keeps a picture of every page, in both themes and both widths, for people to look at: `npm run
 * screenshots [directory] [page …]`. With `--tour`, makes those of docs/ anew.
 */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { buildIfStale } from "../../../console/web/build.ts";
import { signIn, startBrowser, visit, WIDTHS } from "../../support/browser.ts";
import { addFleet } from "../../support/fleet.ts";
import { setUp, startTestServer } from "../../support/server.ts";
import { STOPS } from "./tour.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** What the tour in docs/ shows, in the theme that suits. */
const TOUR: [name: string, theme: "light" | "dark"][] = [
  ["overview", "light"],
  ["collectors", "light"],
  ["collector", "dark"],
  ["collector-config", "light"],
  ["register", "light"],
  ["duplicate", "light"],
  ["agents", "light"],
  ["source", "dark"],
  ["source-new", "light"],
  ["incident", "light"],
  ["rule-edit", "dark"],
  ["routes", "light"],
  ["metrics", "dark"],
  ["api", "light"],
];
const QUALITY = 82;

const flags = process.argv.slice(2);
const isTour = flags.includes("--tour");
const [directory = path.join(root, ".lumetry/screenshots"), ...only] = flags.filter(
  (flag) => !flag.startsWith("--"),
);

/** What is on the screen, in WebP: a third of what PNG takes. */
async function webp(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", {
    format: "webp",
    quality: QUALITY,
  });
  return Buffer.from(data, "base64");
}

await buildIfStale();
await using server = await startTestServer({ anonymousCallsPerSecond: 10_000 });
const browser = await startBrowser();
try {
  {
    await using first = await visit(browser, server.url);
    await first.page.goto("/");
    await first.page.getByRole("heading", { name: "Set up Lumetry" }).waitFor();
    if (!isTour) {
      await mkdir(directory, { recursive: true });
      await first.page.screenshot({ path: path.join(directory, "set-up.light.wide.png") });
    }
  }
  const owner = await setUp(server);
  const fleet = await addFleet(server, owner);
  await using door = await visit(browser, server.url);
  if (!isTour) {
    await door.page.goto("/");
    await door.page.getByLabel("Password").waitFor();
    await door.page.screenshot({ path: path.join(directory, "sign-in.light.wide.png") });
  }
  await signIn(door.page, owner);
  const state = await door.context.storageState();

  const shoot = async (
    name: string,
    theme: "light" | "dark",
    width: keyof typeof WIDTHS,
    scale = 1,
  ) => {
    const stop = STOPS.find((each) => each.name === name);
    if (!stop) throw new Error(`there is no page ${name}`);
    await using visited = await visit(browser, server.url, { theme, width, state, scale });
    const { page, complaints } = visited;
    await page.goto(stop.path(fleet));
    try {
      await stop.ready(page);
    } catch (error) {
      await page.screenshot({ path: path.join(directory, `${name}.failed.png`) });
      console.error(`✘ ${name}: ${complaints.join("; ")}`);
      throw error;
    }
    await page.waitForTimeout(400);
    if (isTour) {
      const file = path.join(root, "docs/tour", `${name}.webp`);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, await webp(page));
    } else {
      await page.screenshot({
        path: path.join(directory, `${name}.${theme}.${width}.png`),
        fullPage: true,
      });
    }
    for (const complaint of complaints) console.error(`✘ ${name}: ${complaint}`);
  };

  if (isTour) {
    for (const [name, theme] of TOUR) await shoot(name, theme, "wide", 1.5);
    console.log(`the pictures in docs/tour are new`);
  } else {
    for (const { name } of STOPS) {
      if (only.length > 0 && !only.includes(name)) continue;
      for (const theme of ["light", "dark"] as const) {
        for (const width of Object.keys(WIDTHS) as (keyof typeof WIDTHS)[]) {
          await shoot(name, theme, width);
        }
      }
    }
    console.log(`the pictures are in ${directory}`);
  }
} finally {
  await browser.close();
}
