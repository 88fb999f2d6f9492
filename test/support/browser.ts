import { existsSync } from "node:fs";
import path from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** Chromium as it is on this machine: LUMETRY_TEST_BROWSER, or the first on the PATH. */
function findBrowser(): string {
  const given = process.env.LUMETRY_TEST_BROWSER;
  if (given) return given;
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    for (const name of NAMES) {
      const file = path.join(folder, name);
      if (existsSync(file)) return file;
    }
  }
  throw new Error(
    "the tests of the console need Chromium, and there is none on the PATH: install it (on Debian: apt-get install chromium) or name it in LUMETRY_TEST_BROWSER",
  );
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findBrowser(),
    // Its own sandbox does not work for root, as whom containers run.
    args: [...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), "--force-color-profile=srgb"],
  });
}

export const WIDTHS = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } };

export interface Visit extends AsyncDisposable {
  page: Page;
  context: BrowserContext;
  /** Whatever the page should never have said: violations of its policy, errors, failed loads. */
  complaints: string[];
}

/** A browser's fresh profile on a server; the certificate was made there, and is taken for good. */
export async function visit(
  browser: Browser,
  url: string,
  options: {
    theme?: "light" | "dark";
    width?: keyof typeof WIDTHS;
    /** Cookies of somebody signed in. */
    state?: Awaited<ReturnType<BrowserContext["storageState"]>>;
    scale?: number;
  } = {},
): Promise<Visit> {
  const { theme = "light", width = "wide", state, scale = 1 } = options;
  const context = await browser.newContext({
    baseURL: url,
    ignoreHTTPSErrors: true,
    colorScheme: theme,
    viewport: WIDTHS[width],
    deviceScaleFactor: scale,
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    reducedMotion: "reduce",
    ...(state && { storageState: state }),
  });
  const page = await context.newPage();
  // Others may load the machine: no test is decided by how long something takes.
  page.setDefaultTimeout(80_000);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    // A browser tells of every answer that is an error; which ones there are is tested otherwise.
    if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) {
      complaints.push(message.text());
    }
  });
  return {
    page,
    context,
    complaints,
    [Symbol.asyncDispose]: () => context.close(),
  };
}

/** Signs in as a person would. */
export async function signIn(page: Page, person: { email: string; password: string }) {
  await page.goto("/");
  await page.getByLabel("E-mail address").fill(person.email);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}
