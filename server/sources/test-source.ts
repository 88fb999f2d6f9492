import {
  create,
  fromBinary,
  fromJson,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { TestTaskSchema } from "../../gen/lumetry/edge/v1/work_pb.js";
import { ReadingSchema } from "../../gen/lumetry/source/v1/reading_pb.js";
import {
  SourceSecretsSchema,
  SourceSettingsSchema,
} from "../../gen/lumetry/source/v1/settings_pb.js";
import type {
  TestSourceRequestSchema,
  TestSourceResponseSchema,
} from "../../gen/lumetry/v1/source_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { queriesOf } from "../db/transaction.ts";
import { notFound, problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { sourcePlace } from "../sealing/store.ts";
import type { Vault } from "../sealing/vault.ts";
import { workTopic } from "../work/signals.ts";
import { insertTest, readTest, removeTest, TAKEN_WITHIN_MS, testPlace } from "../work/tests.ts";
import { countWorkers } from "../work/workers.ts";
import { findZone } from "../zones/store.ts";
import { checkSettings, checkTimes, SettingsMistake } from "./rules.ts";
import { findSource } from "./store.ts";

type Request = MessageShape<typeof TestSourceRequestSchema>;
type Response = MessageInitShape<typeof TestSourceResponseSchema>;

/** The longest that a call may take leaves a test so much, besides waiting for a collector. */
const LONGEST_TEST_MS = 25_000;
/** The state is looked at so often even if nothing was told. */
const LOOK_EVERY_MS = 5_000;

interface Subject {
  zoneId: string;
  task: MessageShape<typeof TestTaskSchema>;
  timeoutMs: number;
  target: { id: string; name: string };
}

async function findSubject(
  db: Database,
  vault: Vault,
  workspaceId: string,
  { target }: Request,
): Promise<Subject> {
  if (target.case === "sourceId") {
    const source = await findSource(db, workspaceId, target.value);
    if (!source) throw notFound("source", target.value);
    const opened =
      source.secrets &&
      vault.open(source.secrets, sourcePlace(workspaceId, source.source_id, source.target));
    return {
      zoneId: source.zone_id,
      task: create(TestTaskSchema, {
        settings: fromJson(SourceSettingsSchema, source.settings, { ignoreUnknownFields: true }),
        ...(opened && { secrets: fromBinary(SourceSecretsSchema, opened) }),
      }),
      timeoutMs: Number(source.timeout_ms),
      target: { id: source.source_id, name: source.display_name },
    };
  }
  const draft = target.value;
  if (!draft?.settings) throw new ConnectError("there is nothing to test", Code.InvalidArgument);
  const { zoneId, settings, secrets, timeout } = draft;
  try {
    checkSettings(settings, secrets);
  } catch (error) {
    if (!(error instanceof SettingsMistake)) throw error;
    throw new ConnectError(error.message, Code.InvalidArgument);
  }
  if (!(await findZone(db, workspaceId, zoneId))) throw notFound("zone", zoneId);
  return {
    zoneId,
    task: create(TestTaskSchema, { settings, ...(secrets && { secrets }) }),
    timeoutMs: checkTimes(60_000, timeout && durationMs(timeout)).timeoutMs,
    target: { id: "", name: settings.kind.case ?? "" },
  };
}

/** Has a collector of the zone read a source now, and tells what happens until it has. */
export async function* testSource(
  { db, pool, vault, signals, clock }: Parts,
  request: Request,
  context: HandlerContext,
): AsyncGenerator<Response> {
  const person = personOf(context);
  const { workspaceId } = person;
  const begun = clock.monotonic();
  const elapsed = () => ({ elapsed: durationFromMs(Math.round(clock.monotonic() - begun)) });
  const subject = await findSubject(db, vault, workspaceId, request);
  const { zoneId, target } = subject;
  const timeoutMs = Math.min(subject.timeoutMs, LONGEST_TEST_MS);
  const collectors = await countWorkers(pool, workspaceId, zoneId, "TEST_SOURCE");
  if (collectors === 0) throw noCollector();

  const workId = makeId("wrk");
  using listener = signals.listen([workTopic(workspaceId, workId)]);
  await db.transaction().execute(async (transaction) => {
    const place = testPlace(workspaceId, workId);
    const task = await vault.seal(transaction, toBinary(TestTaskSchema, subject.task), place);
    await insertTest(queriesOf(transaction), { workspaceId, workId, zoneId, timeoutMs, task });
    await recordChange(transaction, workspaceId, person, originOf(context), {
      action: "source.tested",
      target,
      details: { zoneId, kind: subject.task.settings?.kind.case },
    });
  });
  try {
    yield { ...elapsed(), event: { case: "queued", value: { collectors } } };
    let started = "";
    let step = 0n;
    for (;;) {
      const test = await readTest(pool, workspaceId, workId, step);
      if (!test) throw new ConnectError("the test was removed; try again", Code.Aborted);
      const attempt = `${test.claimedBy} ${test.lapses}`;
      if (test.claimedBy !== null && test.state !== "due" && attempt !== started) {
        started = attempt;
        const value = { collectorId: test.claimedBy, displayName: test.collectorName ?? "" };
        yield { ...elapsed(), event: { case: "started", value } };
      }
      for (const { phase, message, ...told } of test.steps) {
        step = told.step;
        yield { ...elapsed(), event: { case: "progress", value: { phase, message } } };
      }
      if (test.state === "done" && test.result) {
        const value = fromBinary(ReadingSchema, test.result);
        yield { ...elapsed(), event: { case: "result", value } };
        return;
      }
      if (test.state === "expired") throw notTaken(test.claimedBy !== null);
      await listener.next(LOOK_EVERY_MS, context.signal);
      context.signal.throwIfAborted();
    }
  } finally {
    // Whoever asked has left, or knows the result.
    await removeTest(pool, workspaceId, workId);
  }
}

const noCollector = () =>
  problem(
    Code.FailedPrecondition,
    Reason.NO_COLLECTOR,
    "no collector of the zone that may test sources is connected: start one, or grant it the capability test_source",
  );

const notTaken = (begun: boolean) =>
  problem(
    Code.Unavailable,
    Reason.NO_COLLECTOR,
    begun
      ? "the collector that had the test went away before it was done; try again"
      : `no collector of the zone took the test within ${TAKEN_WITHIN_MS / 1000} s; try again`,
  );
