import { EnrollAgentResponse_Placement as Placement } from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";

/** How the database spells the contract's enum: by name, so that a row can be read by people. */
export const placementName = (placement: Placement): string => Placement[placement] ?? "";

export const placementFromName = (name: string): Placement =>
  Placement[name as keyof typeof Placement] ?? Placement.UNSPECIFIED;
