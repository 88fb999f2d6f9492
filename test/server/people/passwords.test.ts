import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import { makePasswords, requireGoodPassword } from "../../../server/people/passwords.ts";
import { outcomes } from "../../support/refusal.ts";

test("a password matches its own hash, in any spelling of the same characters, and no other", async (t) => {
  const passwords = makePasswords();
  const hash = await passwords.hash("caf\u00e9 au lait, twice");
  t.true(await passwords.matches("cafe\u0301 au lait, twice", hash));
  t.false(await passwords.matches("Caf\u00e9 au lait, twice", hash));
  t.false(await passwords.matches("caf\u00e9 au lait, twice", undefined));
  t.false(await passwords.matches("", null));
});

test("a flood is turned away beyond a bound, with a time to come again, and then it goes on", async (t) => {
  const passwords = makePasswords({ mostWaiting: 10 });
  const { answered, codes } = await outcomes(
    Array.from({ length: 50 }, () => passwords.matches("whatever", undefined)),
  );
  t.is(answered, 12);
  t.deepEqual(new Set(codes), new Set([Code.ResourceExhausted]));
  t.false(await passwords.matches("whatever", undefined));
});

test("what hashing throws gives its place to the next", async (t) => {
  const passwords = makePasswords();
  for (let round = 0; round < 5; round += 1) {
    await t.throwsAsync(passwords.matches("whatever", "not a hash"));
  }
  t.false(await passwords.matches("whatever", undefined));
});

test("a password that is the address, or of fewer than five characters, is none", (t) => {
  const refusal = (password: string) => {
    const error = t.throws(() => requireGoodPassword(password, "ann@example.com"), {
      instanceOf: ConnectError,
    });
    return error?.code;
  };
  t.is(refusal("ANN@example.com"), Code.InvalidArgument);
  t.is(refusal("aAaAbBbBcCcCdD"), Code.InvalidArgument);
  t.notThrows(() => requireGoodPassword("abcdeabcdeabcde", "ann@example.com"));
});
