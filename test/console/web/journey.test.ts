/** What an operator does in the console, from a fresh server on, against the real programs. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { Browser, Page } from "playwright-core";
import { buildIfStale } from "../../../console/web/build.ts";
import { startBrowser, type Visit, visit } from "../../support/browser.ts";
import { CollectorProcess } from "../../support/collector-process.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";
import { journeyOfAlerting } from "./journey/alerting.ts";
import { journeyOfChannels } from "./journey/channels.ts";
import { journeyOfSources } from "./journey/sources.ts";

const PERSON = { email: "olivia@example.com", password: "a long walk by the sea" };

let server: TestServer;
let browser: Browser;
let directory: string;
let seen: Visit;
let page: Page;
const running = new AsyncDisposableStack();

test.before(async () => {
  await buildIfStale();
  [server, browser] = await Promise.all([
    startTestServer({
      heartbeatInterval: 1_000,
      egressAllow: ["127.0.0.0/8"],
      installerUrlLinux: "https://downloads.example.com/install.sh",
    }),
    startBrowser(),
  ]);
  directory = await mkdtemp(path.join(tmpdir(), "lumetry-journey-"));
  seen = await visit(browser, server.url);
  ({ page } = seen);
});
test.after.always(async () => {
  await running.disposeAsync();
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
  if (directory) await rm(directory, { recursive: true, force: true });
});

const button = (name: string | RegExp, exact = true) => page.getByRole("button", { name, exact });
const heading = (name: string | RegExp) => page.getByRole("heading", { name });

test.serial("whoever starts a server sets it up, and is signed in", async (t) => {
  await page.goto(`/#${server.setupSecret}`);
  await heading("Set up Lumetry").waitFor();
  t.is(new URL(page.url()).hash, "", "the secret is not left in the address");
  t.is(await page.getByLabel("Set-up secret").inputValue(), server.setupSecret ?? "");
  await page.getByLabel("Workspace").fill("Acme");
  await page.getByLabel("Your name").fill("Olivia Owner");
  await page.getByLabel("E-mail address").fill(PERSON.email);
  await page.getByLabel("Password").fill(PERSON.password);
  await button("Create the workspace").click();
  await heading("Overview").waitFor();
  const kept = await page.evaluate(() =>
    JSON.stringify([localStorage, sessionStorage, document.cookie]),
  );
  t.notRegex(kept, /lmt[a-z]{2}_/, "no secret is kept where a script can read it");
  const [cookie] = await seen.context.cookies();
  t.like(cookie, {
    name: "__Host-lumetry-session",
    httpOnly: true,
    secure: true,
    sameSite: "Strict",
  });
});

test.serial(
  "a collector is registered, its installation copied, started by hand as is shown, and watched arriving",
  async (t) => {
    await page.getByRole("link", { name: "Collectors", exact: true }).first().click();
    await page.getByText("No collectors yet").waitFor();
    await button("Register a collector").first().click();
    await page.getByLabel("Name", { exact: true }).fill("db-7");
    await button("Register").click();
    await page.getByText("Waiting for the collector to enroll").waitFor();
    await page.keyboard.press("Escape");
    t.is(await button("Install on Linux").getAttribute("aria-pressed"), "true");
    const shown = page.locator(".copyable code");
    const first = (await shown.textContent()) ?? "";
    await seen.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await button("Copy").click();
    await eventually("it is copied", async () => {
      return (await page.evaluate(() => navigator.clipboard.readText())) === first;
    });
    await button("I have the token").click();
    await heading("db-7").waitFor();
    await button("Replace its token").click();
    await page.getByText("Waiting for the collector to enroll").waitFor();
    const installation = (await shown.textContent()) ?? "";
    t.not(installation, first, "it has the new token");
    await button("Command").click();
    const command = (await shown.textContent()) ?? "";
    const [, token = ""] =
      /LUMETRY_ENROLLMENT_TOKEN=(lmtce_\w+) \\\n {2}lumetry collector --server https:\/\//.exec(
        command,
      ) ?? [];
    t.not(token, "", command);
    t.regex(installation, /\n {2}https:\/\/downloads\.example\.com\/install\.sh \|\n/);
    t.regex(installation, /\n {2}--component collector \\\n {2}--backend https:\/\/\S+ \\\n/);
    t.true(installation.includes(`  --enroll-token ${token} `));
    running.use(
      new CollectorProcess({
        server: server.url,
        caFile: server.caFile,
        dataDir: directory,
        token,
        flags: ["--work-loopback", "true"],
      }),
    );
    await page.getByText("It has enrolled").waitFor();
    await button("Show the collector").click();
    await heading("db-7").waitFor();
    await page.getByText("active", { exact: true }).waitFor();
    t.notRegex(await page.content(), /lmtce_/, "the token is gone with its dialog");
  },
);

test.serial(
  "a configuration is checked as it is typed, published, acknowledged, and taken back",
  async (t) => {
    await page.getByRole("tab", { name: "Configuration" }).click();
    const document = page.getByLabel("Configuration, a JSON document");
    await document.fill('{"hostMetrics": {"intervalSeconds": 5}}');
    await page.getByText(/hostMetrics\.intervalSeconds: /).waitFor();
    t.true(await button("Publish").isDisabled());
    await document.fill('{"hostMetrics": {"intervalSeconds": 10}, "someday": true}');
    await page.getByText("It will be accepted.").waitFor();
    await page.getByText("someday", { exact: true }).waitFor();
    t.regex((await page.locator(".diff [data-side=added]").textContent()) ?? "", /someday/);
    await button("Publish").click();
    await page.getByText("applied", { exact: true }).waitFor();
    await document.fill('{"hostMetrics": {"intervalSeconds": 20}}');
    // What was typed outlives a look at something else.
    await page.getByRole("tab", { name: "Processes" }).click();
    await page.getByRole("tab", { name: "Configuration" }).click();
    t.regex(await document.inputValue(), /20/);
    await page.getByText("It will be accepted.").waitFor();
    await button("Publish").click();
    await page.getByText(/Revision 2 is published/).waitFor();
    await button("Undo").click();
    await page.getByText("says what revision 1 said").waitFor();
    t.regex(await document.inputValue(), /someday/);
  },
);

test.serial("what it measures is drawn, alone and in the explorer, and saved as CSV", async (t) => {
  await page.getByRole("tab", { name: "Summary" }).click();
  await page.getByRole("link", { name: "Explore CPU in use" }).click();
  await heading("system.cpu.utilization").waitFor();
  await page.getByRole("columnheader", { name: "Highest" }).first().waitFor();
  t.regex(page.url(), /metric=system\.cpu\.utilization&match=lumetry\.collector_id/);
  await page.getByLabel("Search the catalog").fill("load_average");
  await page.getByRole("button", { name: /^system\.cpu\.load_average\.1m/ }).click();
  await heading("system.cpu.load_average.1m").waitFor();
  await page.getByLabel("How points are combined in each step").selectOption("p95");
  await page.getByLabel("How series are combined").selectOption("max");
  await page.getByLabel("Combine series by a label").fill("lumetry.collector_id");
  await page.keyboard.press("Enter");
  await page.getByLabel(/^Only series with a label/).fill("lumetry.collector_id=~[a-z.]+");
  await page.keyboard.press("Enter");
  await page.waitForURL(({ searchParams: asked }) => asked.getAll("match").length === 2);
  await page.reload();
  await heading("system.cpu.load_average.1m").waitFor();
  const how = /95th percentile over 10 seconds, maximum of the series, by lumetry\.collector_id/;
  await page.getByText(how).first().waitFor();
  await button("Export system.cpu.utilization").click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Save as CSV" }).click(),
  ]);
  const csv = await readFile(await download.path(), "utf8");
  t.regex(csv, /^time,metric,.*lumetry\.collector_id.*,value\r\n20\d\d-/);

  const chart = page.locator(".u-over").first();
  const box = await chart.boundingBox();
  if (!box) throw new Error("there is no chart");
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/from=\d+&to=\d+/);
  await page.goBack();
  await page.waitForURL((url) => !url.searchParams.has("from"));
});

const journey = { page: () => page, server: () => server };
journeyOfSources(journey);
journeyOfChannels(journey);
journeyOfAlerting(journey);

test.serial("everything is found by its name, without the mouse", async (t) => {
  await page.keyboard.press("Control+k");
  await page.keyboard.type("db-7");
  await page.getByRole("option", { name: /db-7/ }).waitFor();
  await page.keyboard.press("Enter");
  await heading("db-7").waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("theme: dark");
  await page.keyboard.press("Enter");
  t.is(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.keyboard.press("?");
  await heading("Keyboard").waitFor();
  await page.keyboard.press("Escape");
});

test.serial("somebody is invited by a link, and sees what their role allows", async (t) => {
  await page.getByRole("link", { name: "People", exact: true }).first().click();
  await button("Invite somebody").click();
  await page.getByLabel("Name", { exact: true }).fill("Vera Viewer");
  await page.getByLabel("E-mail address").fill("vera@example.com");
  await button("Invite").click();
  await heading("Give them this link").waitFor();
  const link = (await page.locator(".copyable code").textContent()) ?? "";
  await button("I have it").click();
  await using other = await visit(browser, server.url);
  await other.page.goto(link);
  await other.page.getByLabel("Password").fill("an umbrella in the hall");
  await other.page.getByRole("button", { name: "Accept and sign in" }).click();
  await other.page.getByRole("heading", { name: "Overview" }).waitFor();
  t.is(await other.page.getByRole("link", { name: "Audit log" }).count(), 0);
  await other.page.goto("/collectors");
  await other.page.getByText("db-7").waitFor();
  t.is(await other.page.getByRole("button", { name: "Register a collector" }).count(), 0);
  t.deepEqual(other.complaints, []);
});

test.serial(
  "when the server does not answer, the page says so, and goes on by itself",
  async (t) => {
    await page.goto("/collectors");
    await page.getByText("db-7").waitFor();
    await page.route("**/lumetry.v1.*/**", (route) => route.abort());
    await page.getByText("The server does not answer.").waitFor();
    t.true(await page.getByText("db-7").isVisible(), "what was known is still shown");
    await page.unroute("**/lumetry.v1.*/**");
    await page.getByText("The server does not answer.").waitFor({ state: "detached" });
    // What the browser has to say about answers that never came is its own.
    seen.complaints.splice(0);
  },
);

test.serial("revoking takes the name of what is revoked, and is final", async (t) => {
  await page.getByRole("link", { name: "db-7" }).click();
  await button("Actions").click();
  await page.getByRole("menuitem", { name: "Revoke…" }).click();
  await page.getByText("This is final").waitFor();
  t.true(await button("Revoke for good").isDisabled());
  await page.getByLabel(/Type db-7 to confirm/).fill("db-8");
  t.true(await button("Revoke for good").isDisabled());
  await page.getByLabel(/Type db-7 to confirm/).fill("db-7");
  await button("Revoke for good").click();
  await page.getByText("revoked", { exact: true }).first().waitFor();
  t.is(await button("Actions").count(), 0);
  await page.getByRole("tab", { name: "Activity" }).click();
  await page.getByText("collector.revoked").waitFor();
});

test.serial("signing out leaves nothing behind, and signing in leads back", async (t) => {
  await page.getByRole("button", { name: /Olivia Owner/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await heading("Sign in").waitFor();
  t.deepEqual(await seen.context.cookies(), []);
  await page.goto("/people");
  await page.getByLabel("E-mail address").fill(PERSON.email);
  await page.getByLabel("Password").fill("a wrong password");
  await button("Sign in").click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Password").fill(PERSON.password);
  await button("Sign in").click();
  await heading("People").waitFor();
  t.deepEqual(seen.complaints, []);
});

test.serial(
  "a session that is ended elsewhere leads to the door, and nothing is shown any more",
  async (t) => {
    await page.goto("/collectors");
    await page.getByText("db-7").waitFor();
    await server.sql("delete from sessions");
    await heading("Sign in").waitFor();
    t.is(await page.getByText("db-7").count(), 0);
  },
);
