import { Capability, Role } from "../../gen/lumetry/access/v1/access_pb.js";
import type { RoleName } from "./table.ts";

/** How the database spells the contract's enums: by name, so that a row can be read by people. */
const ROLES: Record<RoleName, Role> = {
  viewer: Role.VIEWER,
  operator: Role.OPERATOR,
  admin: Role.ADMIN,
  owner: Role.OWNER,
};

export const roleFromName = (name: RoleName): Role => ROLES[name];

export function roleName(role: Role): RoleName {
  const found = Object.entries(ROLES).find(([, value]) => value === role);
  if (!found) throw new Error(`no such role: ${role}`);
  return found[0] as RoleName;
}

export const capabilityName = (capability: Capability): string => Capability[capability] ?? "";

/** Capabilities that a later release has written and this one does not know are left out. */
export function capabilitiesFromNames(names: string[]): Capability[] {
  return names
    .map((name) => Capability[name as keyof typeof Capability])
    .filter((capability) => capability !== undefined);
}
