import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { AuditService } from "../../gen/lumetry/v1/audit_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../gen/lumetry/v1/edge_pb.js";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import {
  atCall,
  enrollCollector,
  getConfig,
  type IdentityFault,
  type Method,
  rotateCredential,
  sendHeartbeat,
  whileReplacing,
} from "../support/identity-faults.ts";
import { type Installation, install } from "../support/installation.ts";
import { startProxy } from "../support/proxy.ts";
import { type AnyServer, type Owner, setUp, startTestServer } from "../support/server.ts";

type Random = () => number;

function oneOf<T>(random: Random, ...all: [T, ...T[]]): T {
  return all[Math.floor(random() * all.length)] ?? all[0];
}

/** At any moment, on a network that is slow and breaks. */
function atAnyMoment(random: Random): IdentityFault {
  return async (installation) => {
    await using proxy = await startProxy(installation.server);
    await proxy.pass(random() * 100);
    const collector = installation.start({ server: proxy.url });
    await wait(200 + random() * 1_500);
    if (random() < 0.5) proxy.cut();
    await wait(random() * 300);
    await collector.kill();
    return true;
  };
}

function anyFault(random: Random): [string, IdentityFault] {
  const moment = oneOf(random, "written" as const, "replaced" as const);
  const when = oneOf(random, "unheard" as const, "unanswered" as const);
  const count = 1 + Math.floor(random() * 3);
  const method = oneOf<Method>(random, enrollCollector, getConfig, rotateCredential, sendHeartbeat);
  return oneOf<[string, IdentityFault]>(
    random,
    [`${moment} ${count}`, whileReplacing(moment, count)],
    [`${method.name} ${when}`, atCall(method, when)],
    ["at any moment", atAnyMoment(random)],
  );
}

/** What is wrong; empty when nothing is. */
type Problems = string[];

async function rotate({ server, owner, collectorId }: Installation): Promise<void> {
  await server.client(CollectorService, owner.token).requestCollectorRotation({ collectorId });
}

/**
 * One installation that is killed again and again while it enrolls and rotates. In the end it must
 * be itself, with one credential, without anybody's help.
 */
export async function tryIdentity(
  server: AnyServer,
  owner: Owner,
  random: Random,
  report: (words: string) => void = () => {},
): Promise<Problems> {
  await using installation = await install(server, owner);
  const { collectorId } = installation;
  const problems: Problems = [];
  for (let strikes = 4 + Math.floor(random() * 4); strikes > 0; strikes -= 1) {
    const isEnrolled = (await installation.shown()).status === Status.ACTIVE;
    if (isEnrolled && random() < 0.7) await rotate(installation);
    const [name, strike] = anyFault(random);
    const struck = await strike(installation);
    report(`${name}${struck ? "" : " (did not come)"}`);
    const { active = 0, pending = 0 } = await installation.credentials();
    if (active + pending > 2) problems.push(`${active + pending} credentials are valid`);
  }
  const collector = installation.start();
  try {
    await installation.connected(collector);
    await eventually("no rotation is under way", async () => {
      const { nextCredential, enrollmentNonce } = await installation.identity();
      const { rotationRequested } = await installation.shown();
      return !rotationRequested && nextCredential === undefined && enrollmentNonce === undefined;
    });
  } catch (error) {
    problems.push(`locked out: ${(error as Error).message} ${collector.errors}`);
  }
  const { active, pending } = await installation.credentials();
  if (active !== 1 || pending) problems.push(`${active} active, ${pending} pending credentials`);
  const { status } = await installation.shown();
  if (status !== Status.ACTIVE) problems.push(`it is ${Status[status]}`);
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: collectorId, pageSize: 200 });
  const bad = /refused|duplicate/;
  problems.push(...auditEvents.map(({ action }) => action).filter((action) => bad.test(action)));
  return problems;
}

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: "string", default: "50" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const seed = Number(values.seed);
  await using server = await startTestServer({ heartbeatInterval: 1000 });
  const owner = await setUp(server);
  let failed = 0;
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const strikes: string[] = [];
    const random = randomFrom(seed + round);
    const problems = await tryIdentity(server, owner, random, (words) => strikes.push(words));
    console.log(`${problems.length === 0 ? "✔" : "✘"} seed ${seed + round}: ${strikes.join(", ")}`);
    for (const problem of problems) console.log(`  ✘ ${problem}`);
    if (problems.length > 0) failed += 1;
  }
  console.log(`${values.rounds} rounds from seed ${seed}, ${failed} failed`);
  return failed === 0;
}
