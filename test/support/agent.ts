import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type EnrollAgentRequest,
  EnrollmentService,
} from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import type { HostSchema } from "../../gen/lumetry/edge/v1/host_pb.js";
import {
  type CreateEnrollmentProfileRequestSchema,
  EnrollmentProfileService,
} from "../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { edgeCalls } from "./collector.ts";
import type { AnyServer } from "./server.ts";

/** What a host says of itself when it enrolls. */
interface Enrollee {
  nonce?: Uint8Array;
  version?: string;
  host?: MessageInitShape<typeof HostSchema>;
  placement?: EnrollAgentRequest["placement"];
}

/** A profile of an administrator's, and its token. */
export async function addProfile(
  server: AnyServer,
  admin: { token: string; zoneId: string },
  more: MessageInitShape<typeof CreateEnrollmentProfileRequestSchema> = {},
) {
  const { profile, enrollmentToken, commands } = await server
    .client(EnrollmentProfileService, admin.token)
    .createEnrollmentProfile({ displayName: "web servers", zoneId: admin.zoneId, ...more });
  if (!profile || !commands) throw new Error("no profile");
  return { profile, profileId: profile.profileId, token: enrollmentToken, commands };
}

/** Enrolls a host, directly or through the collector whose credential is given. */
export function enrollAgent(server: AnyServer, token: string, more: Enrollee = {}, relay?: string) {
  return server.client(EnrollmentService, undefined, relay).enrollAgent({
    enrollmentToken: token,
    nonce: randomBytes(32),
    version: "0.0.1",
    host: { hostname: "web-1", machineFingerprint: "" },
    ...more,
  });
}

/** A host that has enrolled; its credential has been used once. */
export async function addAgent(
  server: AnyServer,
  admin: { token: string; zoneId: string },
  more: Enrollee = {},
) {
  const { token, profileId } = await addProfile(server, admin);
  const { agentId, credential } = await enrollAgent(server, token, more);
  const calls = edgeCalls(server, credential);
  await calls.config.getConfig({});
  return { agentId, profileId, ...calls };
}
