import { randomBytes, randomUUID } from "node:crypto";
import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import type { ExecutionContext, TestFn } from "ava";
import { ConfigService } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import { CredentialService } from "../../gen/lumetry/edge/v1/credential_service_pb.js";
import { EnrollmentService } from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { HeartbeatService } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Outcome, Way } from "../support/ways.ts";

/** One place at which agents call the server, directly or through a collector. */
export interface Place {
  name: string;
  ways: Way[];
}

/** What a server must have ready. */
export interface RelayGround {
  places: Place[];
  /** Of an agent's. */
  credential: string;
  /** Of an enrollment profile's. */
  profileToken: string;
  /** Checks that the server has seen the agent come by this place last. */
  cameBy(t: ExecutionContext, place: Place): Promise<void>;
}

interface Case {
  title: string;
  method: DescMethodUnary;
  input(ground: RelayGround): JsonObject;
  /** Of an agent unless told otherwise. */
  token?: string;
  /** What the outcome must contain, so that "the same everywhere" is not "refused everywhere". */
  like: RegExp;
  /** Also by the command line tools, which take a while to start. */
  byTools?: boolean;
}

const { getConfig, acknowledgeConfig } = ConfigService.method;
const { rotateCredential } = CredentialService.method;
const { enrollAgent } = EnrollmentService.method;
const { sendHeartbeat } = HeartbeatService.method;
const { writeMetrics } = MetricsService.method;

const processId = randomUUID();
let sequence = 0;
const heartbeat = () => {
  sequence += 1;
  return { version: "1", processId, sequence: String(sequence), hostname: "host-1" };
};
const enrollment = (enrollmentToken: string) => ({
  enrollmentToken,
  nonce: randomBytes(32).toString("base64"),
  host: { hostname: "host-2", machineFingerprint: randomUUID() },
});
const point = () => ({ time: new Date().toISOString(), value: 1.5 });
const batch = () => ({
  batchId: randomUUID(),
  series: [
    { metric: "room.temperature", labels: { room: "cellar" }, points: [point()] },
    { metric: "no metric's name", points: [point()] },
  ],
});

export const relayCases: Case[] = [
  {
    title: "a configuration is fetched",
    method: getConfig,
    input: () => ({}),
    like: /"document"/,
    byTools: true,
  },
  {
    title: "who has no credential is asked for one",
    method: getConfig,
    input: () => ({}),
    token: "",
    like: /"unauthenticated".*lumetry.access.v1.Problem/,
    byTools: true,
  },
  {
    title: "a credential that is none is refused",
    method: getConfig,
    input: () => ({}),
    token: `lmtac_${"0".repeat(49)}`,
    like: /"unauthenticated".*lumetry.access.v1.Problem/,
  },
  {
    title: "a configuration that was never offered cannot be acknowledged",
    method: acknowledgeConfig,
    input: () => ({ revision: "77", outcome: "OUTCOME_APPLIED" }),
    like: /"code":"(not_found|invalid_argument|failed_precondition)"/,
  },
  {
    title: "an acknowledgement that is not valid is refused with each violation",
    method: acknowledgeConfig,
    input: () => ({ revision: "0" }),
    like: /buf.validate.Violations/,
  },
  {
    title: "a heartbeat is heard",
    method: sendHeartbeat,
    input: heartbeat,
    like: /"nextNonce"/,
  },
  {
    title: "a heartbeat that is not valid is refused",
    method: sendHeartbeat,
    input: () => ({ ...heartbeat(), processId: "short" }),
    like: /buf.validate.Violations/,
  },
  {
    title: "points are written, and those that cannot be are named",
    method: writeMetrics,
    input: batch,
    like: /"acceptedPoints":"1","refusedPoints":"1".*"seriesIndex":1/,
    byTools: true,
  },
  {
    title: "a large batch is written",
    method: writeMetrics,
    input: () => ({
      batchId: randomUUID(),
      series: [{ metric: "room.noise", labels: { pad: "x".repeat(60) }, points: many() }],
    }),
    like: /"acceptedPoints":"4000"/,
  },
  {
    title: "a credential is rotated",
    method: rotateCredential,
    input: () => ({}),
    like: /"credential"/,
  },
  {
    title: "a host enrolls",
    method: enrollAgent,
    input: ({ profileToken }) => enrollment(profileToken),
    token: "",
    like: /"agentId"/,
  },
  {
    title: "a token that is none enrolls nobody",
    method: enrollAgent,
    input: () => enrollment(`lmtae_${"0".repeat(49)}`),
    token: "",
    like: /"unauthenticated".*lumetry.access.v1.Problem/,
  },
];

const many = () => {
  const now = Date.now();
  return Array.from({ length: 4_000 }, (_, index) => ({
    time: new Date(now - index * 1_000).toISOString(),
    value: index,
  }));
};

/** The same calls by every way and at every place: no difference but the path that is recorded. */
export function relayableSuite(test: TestFn, ground: () => RelayGround): void {
  for (const { title, method, input, token, like, byTools = false } of relayCases) {
    test.serial(`${title}, alike directly and through a collector`, async (t) => {
      const { places, credential } = ground();
      const outcomes = new Map<string, string>();
      for (const { name, ways } of places) {
        for (const way of ways) {
          if (way.isTool && !byTools) continue;
          if (way.readsOnly && method !== getConfig) continue;
          const outcome = await way.call(method, input(ground()), token ?? credential);
          const plain = withoutChance(outcome);
          t.regex(plain, like, `${name}, ${way.name}`);
          outcomes.set(plain, `${name}, ${way.name}`);
        }
      }
      t.is(outcomes.size, 1, JSON.stringify([...outcomes], null, 2));
    });
  }

  test.serial("the server knows by which path an agent came", async (t) => {
    const { places, credential, cameBy } = ground();
    for (const place of [...places, ...places]) {
      const [way] = place.ways;
      await way?.call(getConfig, {}, credential);
      await cameBy(t, place);
    }
  });
}

/** Without what differs from one call to the next: ids, secrets, times, nonces. */
function withoutChance(outcome: Outcome): string {
  return JSON.stringify(outcome)
    .replace(/"(agentId|credential|receivedTime|nextNonce)":"[^"]+"/g, '"$1":"…"')
    .replace(/lmt[a-z]{2}_\w+/g, "…");
}
