import { rmSync } from "node:fs";
import path from "node:path";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Agent } from "../../../gen/lumetry/v1/agent_pb.js";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { EdgeStatus } from "../../../gen/lumetry/v1/edge_pb.js";
import {
  EnrollmentProfileService,
  EnrollmentProfile_Status as ProfileStatus,
} from "../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { readIfPresent } from "../../../lib/durable-file.ts";
import type { Connection } from "../connection.ts";
import { plain } from "../terminal.ts";
import { findCollector, type Watched } from "./collector.ts";
import { identityIn, keepToken, late, setAside, waitFor } from "./edge-folder.ts";
import { noteUpState, readUpState } from "./state.ts";

/** Sets the agent's series apart from those of the collector, which measures the same machine. */
export const AGENT_LABEL = { name: "measured_by", value: "agent" } as const;

const PROFILE_LIFETIME_MS = 3_600_000;

/** Waits until the server knows the key that the collector's relay shows, and remembers it. */
export async function waitForRelay(watched: Watched, directory: string): Promise<boolean> {
  const { connection, collectorId, signal } = watched;
  const relayKey = await waitFor(signal, async () => {
    const relay = (await findCollector(connection, collectorId))?.relay;
    return relay && relay.publicKeySha256.length > 0
      ? Buffer.from(relay.publicKeySha256).toString("hex")
      : undefined;
  });
  if (relayKey !== undefined) noteUpState(directory, { relayKey });
  return relayKey !== undefined;
}

/**
 * The agent of this folder: the one it has, or a token to enroll one with. Undefined when there is
 * neither, and nobody is signed in who could have one made.
 */
export async function chooseAgent(
  connection: Connection | undefined,
  directory: string,
  zoneId: string,
): Promise<{ token: string | undefined } | undefined> {
  const folder = path.join(directory, "agent");
  const agentId = await identityIn(folder);
  if (!connection) return agentId === undefined ? undefined : { token: undefined };
  const tokenFile = path.join(directory, "agent-enrollment-token");
  const known = agentId === undefined ? undefined : await findAgent(connection, agentId);
  if (known && known.status !== EdgeStatus.REVOKED) {
    rmSync(tokenFile, { force: true });
    return { token: undefined };
  }
  const kept = await readIfPresent(tokenFile);
  if (
    agentId === undefined &&
    kept &&
    (await isOfUse(connection, readUpState(directory).profileId))
  )
    return { token: kept };
  setAside(folder);
  const { profile, enrollmentToken } = await connection
    .client(EnrollmentProfileService)
    .createEnrollmentProfile({
      displayName: "lumetry up",
      zoneId,
      maxUses: 1,
      lifetime: durationFromMs(PROFILE_LIFETIME_MS),
      labels: { [AGENT_LABEL.name]: AGENT_LABEL.value },
    });
  if (profile) noteUpState(directory, { profileId: profile.profileId });
  return { token: keepToken(tokenFile, enrollmentToken) };
}

/** Also when it is used up: an enrollment that was interrupted is taken up, which is no other use. */
async function isOfUse(connection: Connection, profileId: string | undefined): Promise<boolean> {
  if (profileId === undefined) return false;
  try {
    const { profile } = await connection
      .client(EnrollmentProfileService)
      .getEnrollmentProfile({ profileId });
    const { status } = profile ?? {};
    return status === ProfileStatus.ACTIVE || status === ProfileStatus.EXHAUSTED;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return false;
    throw error;
  }
}

async function findAgent(connection: Connection, agentId: string): Promise<Agent | undefined> {
  try {
    return (await connection.client(AgentService).getAgent({ agentId })).agent;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw error;
  }
}

/** Waits until the server has heard the agent, and says by which way it came. */
export async function waitForAgent(watched: Watched, directory: string): Promise<string> {
  const { connection, since, signal } = watched;
  const found = await waitFor(signal, async () => {
    const agentId = await identityIn(path.join(directory, "agent"));
    const agent = agentId === undefined ? undefined : await findAgent(connection, agentId);
    const seen = agent?.lastSeenTime;
    return seen && timestampMs(seen) >= since ? agent : undefined;
  });
  if (!found) return late("No heartbeat of the agent", "agent.log");
  const way = found.path?.collectorId ? "through the collector" : "straight to the server";
  return `The agent "${plain(found.displayName)}" reports ${way}`;
}
