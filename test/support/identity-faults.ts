import { Code, ConnectError } from "@connectrpc/connect";
import { ConfigService } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import { CredentialService } from "../../gen/lumetry/edge/v1/credential_service_pb.js";
import { EnrollmentService } from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { HeartbeatService } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import type { CollectorProcess } from "./collector-process.ts";
import { type PassingCall, startGateway } from "./gateway.ts";
import type { Installation } from "./installation.ts";

/**
 * Starts the collector and has it die by kill -9 at a certain moment. False when that moment never
 * came: then it was in good terms with the server, and died in the midst of that.
 */
export type IdentityFault = (installation: Installation) => Promise<boolean>;

export const { enrollCollector } = EnrollmentService.method;
export const { getConfig } = ConfigService.method;
export const { rotateCredential } = CredentialService.method;
export const { sendHeartbeat } = HeartbeatService.method;

export type Method =
  | typeof enrollCollector
  | typeof getConfig
  | typeof rotateCredential
  | typeof sendHeartbeat;

/** While it replaces its identity file for the n-th time; see crash-points.ts. */
export function whileReplacing(moment: "written" | "replaced", count = 1): IdentityFault {
  return (installation) =>
    died(
      installation,
      installation.start({
        preload: ["crash-points.ts"],
        environment: { LUMETRY_TEST_CRASH: `${moment}:identity.json:${count}` },
      }),
    );
}

/** At a call of a method: before the server hears it, or before the answer arrives. */
export function atCall<M extends Method>(
  method: M,
  when: "unheard" | "unanswered",
  isIt: (call: PassingCall<M>, installation: Installation) => Promise<boolean> = async () => true,
): IdentityFault {
  return async (installation) => {
    await using gateway = await startGateway(installation.server);
    gateway.intercept(method, async (call) => {
      if (!(await isIt(call, installation))) return call.pass();
      if (when === "unanswered") await call.pass();
      await collector.kill();
      throw new ConnectError("nobody listens any more", Code.Unavailable);
    });
    const collector = installation.start({ server: gateway.url });
    return await died(installation, collector);
  };
}

async function died(installation: Installation, collector: CollectorProcess): Promise<boolean> {
  await Promise.race([
    collector.ended,
    installation.connected(collector).then(() => installation.heartbeats(2)),
  ]).catch(() => {});
  const struck = collector.ending !== undefined;
  const { signal, errors } = await collector.kill();
  if (signal !== "SIGKILL") throw new Error(`it was to be killed, but ended by itself: ${errors}`);
  return struck;
}

/** A heartbeat that carries the new credential for the first time. */
export async function isFirstUse(
  { headers }: PassingCall<typeof sendHeartbeat>,
  installation: Installation,
): Promise<boolean> {
  const { nextCredential } = await installation.identity();
  return headers.get("authorization") === `Bearer ${nextCredential}`;
}
