/** A channel from its creation to its deletion, with what happens to messages on the way. */
import test from "ava";
import { isSignedBy, type Receiver, startReceiver } from "../../../support/receiver.ts";
import { type Journey, on } from "./journey.ts";

export function journeyOfChannels(journey: Journey): void {
  const { page } = journey;
  const { button, item, heading, text, field, link, tag } = on(journey);
  let receiver: Receiver;
  let secret = "";
  test.before(async () => {
    receiver = await startReceiver();
  });
  test.after.always(() => receiver?.[Symbol.asyncDispose]());

  test.serial("a channel is added, its secret shown once, and a message reaches it", async (t) => {
    await link("Channels").click();
    await text("No channels yet");
    await button("Add a channel").first().click();
    await field("Name").fill("on call");
    await field("Address").fill(receiver.url);
    await button("Add").click();
    await heading("The secret of on call").waitFor();
    await page().keyboard.press("Escape");
    secret = (await page().locator(".copyable code").textContent()) ?? "";
    t.regex(secret, /^whsec_/);
    await button("I have it").click();
    t.false((await page().content()).includes(secret));
    await link("on call").click();
    await button("Send a test").click();
    await text("answered 204");
    await page().keyboard.press("Escape");
    const [message] = receiver.received;
    t.true(message !== undefined && isSignedBy(message, secret));
  });

  test.serial("what nobody takes is a dead letter, and is sent again", async (t) => {
    receiver.answer = { status: 410 };
    await button("Send a test").click();
    await text("answered 410");
    await page().keyboard.press("Escape");
    await button("Dead letters").click();
    t.regex(page().url(), /show=dead/);
    await page().getByRole("table", { name: "Deliveries" }).getByRole("button").first().click();
    receiver.answer = { status: 200 };
    await button("Send it again").click();
    await page().getByRole("dialog").locator(".tag", { hasText: "delivered" }).waitFor();
    await page().keyboard.press("Escape");
    await text("No such messages");
    t.is(
      receiver.received.at(-1)?.headers["webhook-id"],
      receiver.received.at(-2)?.headers["webhook-id"],
    );
  });

  test.serial(
    "its secret is replaced while the old one goes on signing; then it is deleted",
    async (t) => {
      await button("Actions").click();
      await item("Make a new secret…").click();
      await button("Make a new secret").click();
      const made = (await page().locator(".copyable code").textContent()) ?? "";
      t.not(made, secret);
      await button("I have it").click();
      await text("signs, too, and ends");
      await button("Send a test").click();
      await text("answered 200");
      await page().keyboard.press("Escape");
      const message = receiver.received.at(-1);
      t.true(message !== undefined && isSignedBy(message, secret) && isSignedBy(message, made));
      await button("All").click();
      await tag("delivered").waitFor();
      await button("Actions").click();
      await item("Delete…").click();
      await page()
        .getByLabel(/Type on call to confirm/)
        .fill("on call");
      await button("Delete").click();
      await text("No channels yet");
    },
  );
}
