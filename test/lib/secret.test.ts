import test from "ava";
import fc from "fast-check";
import { hashSecret, makeSecret, redactSecrets, secretKind } from "../../lib/secret.ts";

test("a secret tells its kind, and no two are alike", (t) => {
  const secrets = Array.from({ length: 1000 }, () => makeSecret("lmtcc"));
  t.is(new Set(secrets).size, 1000);
  t.true(secrets.every((secret) => secretKind(secret) === "lmtcc" && secret.length === 55));
});

test("one wrong character, and it is junk", (t) => {
  fc.assert(
    fc.property(fc.nat(54), fc.constantFrom(..."0aZ_-"), (at, letter) => {
      const secret = makeSecret("lmtik");
      const changed = secret.slice(0, at) + letter + secret.slice(at + 1);
      return changed === secret || secretKind(changed) === undefined;
    }),
  );
  for (const junk of ["", "lmtik_", "x".repeat(10_000), `${makeSecret("lmtik")}\n`]) {
    t.is(secretKind(junk), undefined);
  }
});

test("secrets are blotted out of whatever is logged, whole or cut", (t) => {
  const secret = makeSecret("lmtut");
  for (const text of [secret, `{"a":"${secret}"}`, `Bearer ${secret},`, secret.slice(0, 30)]) {
    t.false(redactSecrets(text).includes(secret.slice(6, 20)));
  }
  t.is(redactSecrets("nothing to hide"), "nothing to hide");
});

test("what is stored is the SHA-256", (t) => {
  t.is(hashSecret("abc").toString("hex").slice(0, 8), "ba7816bf");
});
