/** A source from the form to its deletion, polled by the collector that the journey has started. */
import test from "ava";
import { eventually } from "../../../support/eventually.ts";
import { startHttpTarget, type Target } from "../../../support/target.ts";
import { type Journey, on } from "./journey.ts";

const TOKEN = "a-bearer-token-that-nobody-reads";

export function journeyOfSources(journey: Journey): void {
  const { page, server } = journey;
  const { button, item, heading, tab, text, field, link, tag } = on(journey);
  let target: Target;
  let status = 200;
  test.before(async () => {
    target = await startHttpTarget((_request, response) => response.writeHead(status).end("ok"));
  });
  test.after.always(() => target?.[Symbol.asyncDispose]());

  test.serial("a collector is granted what it may do, and asks for work", async (t) => {
    await page().goto("/collectors");
    await link("db-7").click();
    await button("Actions").click();
    await item("Grant capabilities…").click();
    for (const capability of ["poll source", "test source", "deliver webhook"]) {
      await page().getByRole("checkbox", { name: capability }).check();
    }
    await button("Save").click();
    await eventually("the collector asks for tests", async () => {
      const [row] = await server().sql<{ capabilities: string[] }>(
        "select capabilities from workers",
      );
      return row?.capabilities.includes("TEST_SOURCE");
    });
    await tab("Work").click();
    await text("Sources that it polls");
    await text(/poll source, test source, deliver webhook/);
    t.pass();
  });

  test.serial("a source is filled in, tested from its zone step by step, and added", async (t) => {
    await link("Sources").click();
    await text("No sources yet");
    await link("Add a source").click();
    await page().getByText("TCP check").click();
    await field("Host").fill("127.0.0.1");
    // Another kind is another form; what is the same for all stays.
    await field("Name").fill("the shop");
    await page().getByText("HTTP check").click();
    t.is(await field("Name").inputValue(), "the shop");
    t.true(await button("Add").isEnabled());
    await field("Address").fill(`${target.url}/health`);
    await button("Add to Labels").click();
    await field("Label").fill("team");
    await field("Value of team").fill("shop");
    await field("Every, in seconds").fill("5");
    await field("Time to answer, in seconds").fill("5");
    // What is typed is one thing, in the form and as JSON.
    await button("JSON").click();
    const json = field("Settings, as JSON");
    t.regex(await json.inputValue(), /"url": "http:\/\/127\.0\.0\.1/);
    await json.fill('{"httpCheck": {"htpp": 1}}');
    await text(/htpp/);
    await json.fill(
      `{"httpCheck": {"http": {"url": "${target.url}/health"}, "expectedStatuses": [{"first": 200}]}}`,
    );
    await button("Form").click();
    t.is(
      await page().getByRole("group", { name: "range 1" }).getByLabel("From").inputValue(),
      "200",
    );
    await button("Test it from the zone").click();
    await text(/^begun by db-7$/);
    await text(/^It answered as it should in/);
    await text("first byte");
    await button("Add").click();
    await heading("the shop").waitFor();
    await tag("up").waitFor();
    await tab("Polls").click();
    await page().getByRole("table", { name: "Polls" }).getByText("up").first().waitFor();
  });

  test.serial(
    "it is tested again while it fails, paused, resumed and changed; secrets go in only",
    async (t) => {
      await tab("Summary").click();
      status = 503;
      await button("Test now").click();
      await text("It did not answer as it should");
      await page().getByRole("dialog").getByText(/503/).first().waitFor();
      await page().keyboard.press("Escape");
      await tag("down").waitFor();
      status = 200;
      await button("Pause").click();
      await tag("paused").waitFor();
      await button("Undo").click();
      await tag("up").waitFor();
      await button("Actions").click();
      await item("Edit…").click();
      await field("Bearer token").fill(TOKEN);
      await button("Save").click();
      await text(/bearer token, for/);
      t.false((await page().content()).includes(TOKEN));
      await button("Actions").click();
      await item("Edit…").click();
      await text("Kept now");
      await page()
        .getByRole("group", { name: "What becomes of the secrets" })
        .getByText("Remove")
        .click();
      await button("Save").click();
      await heading("the shop").waitFor();
      await page()
        .getByText(/bearer token, for/)
        .waitFor({ state: "detached" });
    },
  );

  test.serial(
    "what is to be done is seen on the page for work and on the collector's",
    async (t) => {
      await link("Work").click();
      await page().getByRole("table", { name: "Work" }).getByText("the shop").first().waitFor();
      await tab("Collectors").click();
      await link("db-7").click();
      await page()
        .getByRole("table", { name: "Sources that it polls" })
        .getByText("the shop")
        .waitFor();
      t.regex(page().url(), /tab=work/);
    },
  );

  test.serial("a source is found, and deleted by its name", async (t) => {
    await link("Sources").click();
    await page().keyboard.press("/");
    await page().keyboard.type("no such");
    await text("No source matches");
    await page().keyboard.press("Escape");
    await link("the shop").click();
    await button("Actions").click();
    await item("Delete…").click();
    await page()
      .getByLabel(/Type the shop to confirm/)
      .fill("the shop");
    await button("Delete").click();
    await text("No sources yet");
    t.pass();
  });
}
