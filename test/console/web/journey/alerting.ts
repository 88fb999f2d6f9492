/** From a rule that is tried on what was measured to an incident that somebody has resolved. */
import test from "ava";
import { type Journey, on } from "./journey.ts";

export function journeyOfAlerting(journey: Journey): void {
  const { page } = journey;
  const { button, item, heading, text, field, link, tag } = on(journey);
  const dialog = () => page().getByRole("dialog");

  test.serial("a rule is tried on what was measured, and is in force", async (t) => {
    await link("Rules").click();
    await text("No rules yet");
    await link("Add a rule").click();
    await field("Name").fill("memory in use");
    await field("Metric").fill("system.memory.utilization");
    await field("The bound").fill("2");
    await text("It would not have fired");
    t.true(await button("Add").nth(-1).isEnabled());
    await field("The bound").fill("0");
    await text(/It would have fired \d+ times?/);
    await page()
      .getByRole("img", { name: /when it would have fired/ })
      .waitFor();
    await button("Add a muting window").click();
    await page().getByRole("group", { name: "muting window 1" }).getByLabel("sun").check();
    await button("Remove muting window 1").click();
    await page().locator("form").getByRole("button", { name: "Add", exact: true }).last().click();
    await heading("memory in use").waitFor();
    await text(/Wrong when average of system\.memory\.utilization over 1 minute is above 0/);
    await page()
      .locator(".tag", { hasText: /\d+ firing/ })
      .waitFor();
  });

  test.serial("rules are searched by name", async (t) => {
    await link("Rules").click();
    const rules = page().getByRole("table", { name: "Rules" });
    await field("Search by name or id").fill("no%such");
    await text("No rule matches");
    await button("Show all").click();
    await rules.getByRole("link", { name: "memory in use" }).waitFor();
    await field("Search by name or id").fill("ORY IN");
    await rules.getByRole("link", { name: "memory in use" }).waitFor();
    t.is(new URL(page().url()).searchParams.get("search"), "ORY IN");
  });

  test.serial("its alerts are told apart, with what decided each", async (t) => {
    await link("Alerts").click();
    const rows = page().getByRole("table", { name: "Alerts" });
    await rows.getByRole("button", { name: "memory in use" }).first().click();
    await dialog().getByText("Steps").waitFor();
    await dialog().getByText("What decided it").waitFor();
    t.regex(page().url(), /alert=alr\./);
    await page().keyboard.press("Escape");
  });

  test.serial("an incident is acknowledged, assigned, talked about and resolved", async (t) => {
    await link("Incidents").click();
    await page().getByRole("table", { name: "Incidents" }).getByRole("link").first().click();
    await tag("open").waitFor();
    await button("Acknowledge").click();
    await tag("acknowledged").waitFor();
    await field("Comment").fill("The kettle was on.\nIt is off now.");
    await button("Comment").click();
    await text("The kettle was on.");
    await button("Actions").click();
    await item("Assign…").click();
    await dialog().getByLabel("Person").selectOption({ label: "nobody" });
    await button("Assign").click();
    await text("nobody's yet");
    await button("Undo").click();
    await page().getByText("nobody's yet").waitFor({ state: "detached" });
    await button("Actions").click();
    await item("Silence its alerts…").click();
    await field("Why").fill("the kettle is mended");
    await button("Silence").click();
    await page().locator(".facts", { hasText: "silenced" }).waitFor();
    await button("Resolve…").click();
    await field("For the timeline").fill("a kettle");
    await button("Resolve").click();
    await tag("resolved").waitFor();
    await text("a kettle");
    const kinds = await page()
      .locator(".timeline li")
      .evaluateAll((lines) => lines.map((line) => line.getAttribute("data-kind")));
    for (const kind of ["opened", "acknowledged", "commented", "assigned", "resolved"]) {
      t.true(kinds.includes(kind), kind);
    }
  });

  test.serial("a silence is about what it says, and is ended", async (t) => {
    await link("Silences").click();
    await text("the kettle is mended");
    await button("Silence alerts").click();
    t.true(await button("Silence").isDisabled(), "it has to be about something");
    await field(/^With labels/).fill("team=~(a|b)");
    await page().keyboard.press("Enter");
    await field("Why").fill("work on the racks");
    await button("Silence").click();
    await text("team=~(a|b)");
    await button("Actions on work on the racks").click();
    await item("End now…").click();
    await button("End it").click();
    await page().getByText("team=~(a|b)").waitFor({ state: "detached" });
    await button("All").click();
    await text("team=~(a|b)");
  });

  test.serial(
    "routes are asked in their order, and tried on an alert that is made up",
    async (t) => {
      await link("Routes").click();
      await text("No routes yet");
      for (const [name, condition] of [
        ["everything", ""],
        ["the racks", "team=racks"],
      ]) {
        await button("Add a route").first().click();
        await field("Name").fill(name ?? "");
        if (condition) {
          await field(/^With labels/).fill(condition);
          await page().keyboard.press("Enter");
        }
        await button("Add").last().click();
        await page()
          .getByRole("table")
          .getByText(name ?? "", { exact: true })
          .waitFor();
      }
      const taken = page().locator("ol.section li");
      await taken.filter({ hasText: "1. everything" }).waitFor();
      await button("Actions on the racks").click();
      await item("Ask it earlier").click();
      await taken.filter({ hasText: "2. everything" }).waitFor();
      await button("Add to Labels of the alert").click();
      await field("Label").fill("team");
      await field("Value of team").fill("racks");
      await taken.filter({ hasText: "1. the racks" }).waitFor();
      t.is(await taken.count(), 1);
    },
  );

  test.serial("a rule is switched off, and deleted by its name", async (t) => {
    await link("Rules").click();
    await link("memory in use").click();
    await button("Actions").click();
    await item("Switch off").click();
    await tag("off").waitFor();
    await button("Actions").click();
    await item("Delete…").click();
    await page()
      .getByLabel(/Type memory in use to confirm/)
      .fill("memory in use");
    await button("Delete").click();
    await text("No rules yet");
    t.pass();
  });
}
