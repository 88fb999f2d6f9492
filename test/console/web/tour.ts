import type { Page } from "playwright-core";
import type { Fleet } from "../../support/fleet.ts";

/** A page as somebody finds it, and what has to be there before it is looked at. */
export interface Stop {
  name: string;
  path: (fleet: Fleet) => string;
  ready: (page: Page) => Promise<unknown>;
}

const heading = (name: string | RegExp) => (page: Page) =>
  page.getByRole("heading", { name, level: 1 }).waitFor();
const text = (words: string | RegExp) => (page: Page) => page.getByText(words).first().waitFor();
const column = (name: string) => (page: Page) =>
  page.getByRole("columnheader", { name }).first().waitFor();
const drawn = async (page: Page) => {
  await page.locator(".u-over").first().waitFor();
  await page.waitForFunction(
    () => document.querySelectorAll(".chart-none:not(:empty)").length === 0,
  );
};
const both =
  (...steps: ((page: Page) => Promise<unknown>)[]) =>
  async (page: Page) => {
    for (const step of steps) await step(page);
  };

/** Every page of the console; a test fails when one of the navigation is missing here. */
export const STOPS: Stop[] = [
  {
    name: "overview",
    path: () => "/",
    ready: both(heading("Overview"), text("mail-relay"), drawn),
  },
  { name: "collectors", path: () => "/collectors", ready: text("db-primary") },
  {
    name: "collector",
    path: ({ busy }) => `/collectors/${busy}`,
    ready: both(heading("db-primary"), drawn),
  },
  {
    name: "collector-config",
    path: ({ busy }) => `/collectors/${busy}?tab=config`,
    ready: text("History"),
  },
  {
    name: "collector-processes",
    path: ({ busy }) => `/collectors/${busy}?tab=processes`,
    ready: text("Each start of the program"),
  },
  {
    name: "collector-heartbeats",
    path: ({ busy }) => `/collectors/${busy}?tab=heartbeats`,
    ready: text("of silence"),
  },
  {
    name: "collector-drops",
    path: ({ busy }) => `/collectors/${busy}?tab=drops`,
    ready: text("18,422"),
  },
  {
    name: "collector-activity",
    path: ({ busy }) => `/collectors/${busy}?tab=activity`,
    ready: text("config.published"),
  },
  {
    name: "duplicate",
    path: ({ duplicate }) => `/collectors/${duplicate}`,
    ready: text("Had taken its place"),
  },
  {
    name: "pending",
    path: ({ pending }) => `/collectors/${pending}`,
    ready: heading("backup-vault"),
  },
  {
    name: "register",
    path: () => "/collectors",
    ready: async (page) => {
      await page.getByRole("button", { name: "Register a collector" }).click();
      await page.getByLabel("Name", { exact: true }).fill("web-fra-3");
      await page.getByRole("button", { name: "Register", exact: true }).click();
      await page.getByText("Waiting for the collector").waitFor();
    },
  },
  { name: "agents", path: () => "/agents", ready: text("web-12") },
  {
    name: "agent",
    path: ({ agent }) => `/agents/${agent}`,
    ready: both(heading(/web-11/), drawn),
  },
  { name: "install", path: () => "/agents/install", ready: text("web servers") },
  {
    name: "install-commands",
    path: () => "/agents/install",
    ready: async (page) => {
      await text("web servers")(page);
      await page.getByRole("button", { name: "New profile" }).click();
      await page.getByLabel("Name", { exact: true }).fill("database hosts");
      await page.getByRole("button", { name: "Create", exact: true }).click();
      await page.getByText("Waiting for the first host").waitFor();
    },
  },
  { name: "sources", path: () => "/sources", ready: text("orders database") },
  {
    name: "source",
    path: ({ source }) => `/sources/${source}`,
    ready: both(heading("checkout health"), drawn, text(/Up \d/)),
  },
  {
    name: "source-down",
    path: ({ brokenSource }) => `/sources/${brokenSource}`,
    ready: both(text("refused the connection"), drawn, text(/Up \d/)),
  },
  {
    name: "source-polls",
    path: ({ source }) => `/sources/${source}?tab=polls`,
    ready: text(/nothing for/),
  },
  {
    name: "source-measured",
    path: ({ source }) => `/sources/${source}?tab=measured`,
    ready: text("http.response.size"),
  },
  {
    name: "source-new",
    path: () => "/sources/new",
    ready: async (page) => {
      await page.getByText("JSON over HTTP").click();
      await page.getByText("Where its values are").waitFor();
      await page.getByText("More settings").click();
    },
  },
  {
    name: "source-edit",
    path: ({ source }) => `/sources/${source}/edit`,
    ready: text("Kept now"),
  },
  { name: "work", path: () => "/work", ready: text("orders database") },
  { name: "work-collectors", path: () => "/work?tab=collectors", ready: text("db-replica") },
  {
    name: "collector-work",
    path: ({ worker }) => `/collectors/${worker}?tab=work`,
    ready: text("orders database"),
  },
  {
    name: "collector-agents",
    path: ({ worker }) => `/collectors/${worker}?tab=agents`,
    ready: text("Agents that come through it"),
  },
  { name: "channels", path: () => "/channels", ready: text("on call") },
  {
    name: "channel",
    path: ({ channel }) => `/channels/${channel}`,
    ready: both(heading("on call"), text("channel.test")),
  },
  {
    name: "delivery",
    path: ({ deadLetter }) => `/channels?tab=deliveries&delivery=${deadLetter}`,
    ready: text("answered 410"),
  },
  {
    name: "channel-new",
    path: () => "/channels",
    ready: async (page) => {
      await text("on call")(page);
      await page.getByRole("button", { name: "Add a channel" }).click();
      await page.getByLabel("Address").waitFor();
    },
  },
  { name: "incidents", path: () => "/incidents", ready: text(/orders database/) },
  {
    name: "incident",
    path: ({ incident }) => `/incidents/${incident}`,
    ready: text("restarts in a loop"),
  },
  { name: "alerts", path: () => "/alerts", ready: text(/mail-relay/) },
  {
    name: "alert",
    path: () => "/alerts",
    ready: async (page) => {
      await page.getByRole("button", { name: "source down" }).first().click();
      await page.getByText("Steps").waitFor();
    },
  },
  { name: "rules", path: () => "/rules", ready: text("file system nearly full") },
  {
    name: "rule",
    path: ({ rule }) => `/rules/${rule}`,
    ready: both(heading("processors busy"), text(/It would/), drawn),
  },
  {
    name: "rule-edit",
    path: ({ rule }) => `/rules/${rule}/edit`,
    ready: both(text(/It would/), drawn),
  },
  {
    name: "system-alerts",
    path: () => "/system-alerts",
    ready: both(text("Collector offline"), text(/\d+ firing/)),
  },
  {
    name: "system-alert-edit",
    path: () => "/system-alerts",
    ready: async (page) => {
      await page.getByRole("button", { name: "Change Clock skew" }).click();
      await page.getByLabel("Hold-down", { exact: true }).waitFor();
    },
  },
  { name: "silences", path: () => "/silences", ready: text("cluster=ANVMBWEBWX") },
  {
    name: "silence-new",
    path: () => "/silences",
    ready: async (page) => {
      await text("cluster=ANVMBWEBWX")(page);
      await page.getByRole("button", { name: "Silence alerts" }).click();
      await page.getByLabel("Why").waitFor();
    },
  },
  {
    name: "routes",
    path: () => "/routes",
    ready: both(text("critical, at once"), text("Which routes would")),
  },
  {
    name: "route-new",
    path: () => "/routes",
    ready: async (page) => {
      await text("critical, at once")(page);
      await page.getByRole("button", { name: "Add a route" }).click();
      await page.getByLabel("Alerts that share a message").waitFor();
    },
  },
  { name: "topology", path: () => "/topology", ready: text("ANVMBWEBWX") },
  { name: "zones", path: () => "/zones", ready: text("Frankfurt") },
  {
    name: "metrics",
    path: () => "/explore?metric=system.cpu.utilization&metric=system.network.io",
    ready: both(column("Highest"), drawn),
  },
  { name: "metrics-empty", path: () => "/explore", ready: text("Choose a metric") },
  { name: "ingestion-keys", path: () => "/ingestion-keys", ready: text("payments gateway") },
  { name: "people", path: () => "/people", ready: text("Ada Lindqvist") },
  { name: "access-tokens", path: () => "/access-tokens", ready: text("nightly report") },
  { name: "audit", path: () => "/audit", ready: text("collector.created") },
  { name: "settings", path: () => "/settings", ready: text("Another workspace") },
  {
    name: "api",
    path: () => "/api?rpc=lumetry.v1.CollectorService.ListCollectors",
    ready: text("With curl"),
  },
  {
    name: "palette",
    path: () => "/zones",
    ready: async (page) => {
      await text("Frankfurt")(page);
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox").fill("db");
      await page.getByRole("option", { name: "db-primary collector" }).waitFor();
    },
  },
  { name: "nowhere", path: () => "/no/such/page", ready: text("There is nothing at this address") },
];
