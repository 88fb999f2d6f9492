/**
 * Loaded into AVA itself: an error with an undefined property would otherwise end the whole run,
 * since the reporter writes errors as YAML, which has no such value.
 */
import { createRequire } from "node:module";

interface Yaml {
  safeDump(value: unknown, options?: object): string;
}

// AVA's own copies, wherever npm has put them.
const ofAva = createRequire(createRequire(import.meta.url).resolve("ava"));
const ofYaml = createRequire(ofAva.resolve("supertap"));
const yaml = ofYaml("js-yaml") as Yaml;
const dump = yaml.safeDump;
yaml.safeDump = (value, options) => dump(value, { skipInvalid: true, ...options });
