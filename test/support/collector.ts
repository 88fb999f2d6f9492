import { randomBytes, randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { ConfigService } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import { CredentialService } from "../../gen/lumetry/edge/v1/credential_service_pb.js";
import {
  type EnrollCollectorRequest,
  EnrollmentService,
} from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import {
  HeartbeatService,
  type SendHeartbeatRequestSchema,
  type SendHeartbeatResponse,
} from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import type { HostSchema } from "../../gen/lumetry/edge/v1/host_pb.js";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { SetupService } from "../../gen/lumetry/v1/setup_service_pb.js";
import type { AnyServer, TestServer } from "./server.ts";

/** Registers a collector; the token has not been used. */
export async function register(
  server: AnyServer,
  admin: { token: string; zoneId: string },
  displayName = `collector ${randomUUID().slice(0, 8)}`,
) {
  const { collector, enrollmentToken, commands } = await server
    .client(CollectorService, admin.token)
    .createCollector({ displayName, zoneId: admin.zoneId });
  return {
    collectorId: collector?.collectorId ?? "",
    token: enrollmentToken?.secret ?? "",
    command: commands?.linux ?? "",
  };
}

export function enroll(
  server: AnyServer,
  token: string,
  more: Partial<Pick<EnrollCollectorRequest, "nonce">> & {
    host?: MessageInitShape<typeof HostSchema>;
  } = {},
) {
  return server.client(EnrollmentService).enrollCollector({
    enrollmentToken: token,
    nonce: randomBytes(32),
    version: "0.0.1",
    host: { hostname: "host-1", machineFingerprint: "f" },
    ...more,
  });
}

/**
 * The calls of an edge, made by hand so that a test decides what goes over the wire: directly, or
 * through the collector whose credential is given.
 */
export function edgeCalls(server: AnyServer, credential: string, relay?: string) {
  return {
    credential,
    heartbeat: server.client(HeartbeatService, credential, relay),
    config: server.client(ConfigService, credential, relay),
    credentials: server.client(CredentialService, credential, relay),
    metrics: server.client(MetricsService, credential, relay),
  };
}

/** Registers and enrolls a collector; its credential has been used once. */
export async function addCollector(
  server: AnyServer,
  admin: { token: string; zoneId: string },
  displayName?: string,
) {
  const { token, collectorId } = await register(server, admin, displayName);
  const { credential } = await enroll(server, token);
  const calls = edgeCalls(server, credential);
  await calls.config.getConfig({});
  return { ...calls, collectorId, token };
}

/** One run of an edge's program, as the server sees it: it counts and keeps its chain. */
export function makeProcess(
  server: TestServer,
  credential: string,
  hostname = "host-1",
  relay?: string,
) {
  const { heartbeat } = edgeCalls(server, credential, relay);
  const processId = randomUUID();
  let sequence = 0n;
  let nonce = "";
  return {
    processId,
    async beat(
      more: MessageInitShape<typeof SendHeartbeatRequestSchema> = {},
    ): Promise<SendHeartbeatResponse> {
      sequence += 1n;
      const answer = await heartbeat.sendHeartbeat({
        version: "0.0.1",
        processId,
        sequence,
        nonce,
        hostname,
        sentTime: timestampNow(),
        ...more,
      });
      nonce = answer.nextNonce;
      return answer;
    },
    /** A heartbeat whose answer never arrives. */
    async beatUnheard(): Promise<void> {
      const before = nonce;
      await this.beat();
      nonce = before;
    },
  };
}

/** Shifts the database's clock for all connections, old and new, and waits until the server has new ones. */
export async function shiftClock(server: TestServer, interval: string): Promise<void> {
  const [row] = await server.sql<{ name: string }>("select current_database() as name");
  await server.sql(`alter database "${row?.name}" set lumetry.clock_shift = '${interval}'`);
  await server.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  const setup = server.client(SetupService);
  for (let answered = 0; answered < 5; ) {
    await setup.getSetup({}).then(
      () => {
        answered += 1;
      },
      () => {
        answered = 0;
      },
    );
  }
}
