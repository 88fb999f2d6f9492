/** Loaded into AVA itself, whose TAP reporter would end the whole run by two kinds of errors. */
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

interface Yaml {
  safeDump(value: unknown, options?: object): string;
}
interface Event {
  err?: unknown;
}
interface Reporter {
  writeTest(event: Event, flags: object): void;
}

// AVA's own copies, wherever npm has put them.
const ava = createRequire(import.meta.url).resolve("ava");
const ofAva = createRequire(ava);
const ofYaml = createRequire(ofAva.resolve("supertap"));

// An error with an undefined property: it is written as YAML, which has no such value.
const yaml = ofYaml("js-yaml") as Yaml;
const dump = yaml.safeDump;
yaml.safeDump = (value, options) => dump(value, { skipInvalid: true, ...options });

// That nothing has happened for long: it is made in the reporter, and not of the shape of the others.
const module = path.join(ava, "../../lib/reporters/tap.js");
const reporter: Reporter = (await import(pathToFileURL(module).href)).default.prototype;
const writeTest = reporter.writeTest;
reporter.writeTest = function (event, flags) {
  const { err } = event;
  const own = err instanceof Error ? { type: "native", name: err.name, originalError: err } : err;
  writeTest.call(this, { ...event, err: own }, flags);
};
