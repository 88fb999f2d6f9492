import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import {
  type Access,
  access,
  Caller as CallerKind,
  Capability,
  Role,
} from "../../gen/lumetry/access/v1/access_pb.js";
import type { Caller } from "../context.ts";

const KINDS: Record<Caller["kind"], CallerKind> = {
  nobody: CallerKind.ANYONE,
  person: CallerKind.PERSON,
  collector: CallerKind.COLLECTOR,
  agent: CallerKind.AGENT,
  ingestion_key: CallerKind.INGESTION_KEY,
};

/** Decoded once: options lie in a descriptor as bytes. */
const rules = new WeakMap<DescMethod, Access>();

/** The rule of a method, from its descriptor. */
export function accessRule(method: DescMethod): Access {
  let rule = rules.get(method);
  if (!rule) {
    rule = getOption(method, access);
    rules.set(method, rule);
  }
  return rule;
}

/** Fails the start of a server one of whose methods says nothing about who may call it. */
export function requireRules(services: readonly DescService[]): void {
  for (const service of services) {
    for (const method of service.methods) {
      if (!hasOption(method, access) || accessRule(method).callers.length === 0) {
        throw new Error(`${service.typeName}/${method.name} does not say who may call it`);
      }
    }
  }
}

/** Why a caller may not call a method, in words for them; undefined when they may. */
export function refusal(rule: Access, caller: Caller): string | undefined {
  if (rule.callers.includes(CallerKind.ANYONE)) return undefined;
  if (!rule.callers.includes(KINDS[caller.kind])) {
    const allowed = rule.callers.map((kind) => CallerKind[kind].toLowerCase().replace("_", " "));
    return `this call takes the credential of a ${allowed.join(" or ")}`;
  }
  if (caller.kind === "person" && caller.role < rule.role) {
    return `this call takes the role ${Role[rule.role].toLowerCase()}; yours is ${Role[caller.role].toLowerCase()}`;
  }
  if (
    caller.kind === "collector" &&
    rule.capability !== Capability.UNSPECIFIED &&
    !caller.grantedCapabilities.includes(rule.capability)
  ) {
    return `this call takes the capability ${Capability[rule.capability]}, which an administrator has not granted`;
  }
  return undefined;
}
