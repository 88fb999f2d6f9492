import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { ViolationsSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import type { ExecutionContext, TestFn } from "ava";
import { ProblemSchema, Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import type { Outcome, Way } from "../support/ways.ts";

/** What a server must have ready. */
export interface Ground {
  ways: Way[];
  /** Of a person who may manage zones. */
  token: string;
  /** Of a machine that may write points. */
  ingestionKey: string;
}

const { createZone, getZone, listZones } = ZoneService.method;
const { writeMetrics } = MetricsService.method;

/** The same calls over each of the ways: the same answers, codes, sentences and details. */
export function protocolSuite(test: TestFn, ground: () => Ground): void {
  const each = async (
    t: ExecutionContext,
    check: (way: Way, token: string) => Promise<void>,
    reads = false,
  ) => {
    const { ways, token } = ground();
    t.true(ways.length > 10);
    for (const way of ways) {
      if (way.readsOnly && !reads) continue;
      await check(way, token);
    }
  };

  test("a zone is created, read and listed alike, whatever the protocol", async (t) => {
    const made: JsonObject[] = [];
    await each(t, async (way, token) => {
      const created = value(t, way, await way.call(createZone, zoneNamed(way.name), token));
      const zone = created.zone as JsonObject;
      t.is(zone.displayName, way.name);
      t.deepEqual(zone.allowedNetworks, ["10.0.0.0/8"]);
      t.regex(String(zone.zoneId), /^zon\./);
      made.push(created);
    });
    let turn = 0;
    await each(
      t,
      async (way, token) => {
        // Each reads what another has made.
        turn += 1;
        const created = made[turn % made.length];
        const { zoneId = "" } = (created?.zone ?? {}) as JsonObject;
        t.deepEqual(value(t, way, await way.call(getZone, { zoneId }, token)), created, way.name);
      },
      true,
    );
    const lists = new Set<string>();
    await each(
      t,
      async (way, token) => {
        const listed = value(t, way, await way.call(listZones, { pageSize: 200 }, token));
        lists.add(JSON.stringify(listed));
      },
      true,
    );
    t.is(lists.size, 1);
  });

  /** Errors that must be the same to the letter. */
  const refusals: {
    title: string;
    call: (way: Way, token: string) => Promise<Outcome>;
    reads?: boolean;
    code: string;
    message: RegExp;
    detail?: (t: ExecutionContext, detail: { type: string; bytes: Uint8Array }) => void;
  }[] = [
    {
      title: "what is not there is not found",
      call: (way, token) => way.call(getZone, { zoneId: "zon.aaaaaaaaaa" }, token),
      reads: true,
      code: "not_found",
      message: /^there is no zone "zon.aaaaaaaaaa"$/,
    },
    {
      title: "what is not valid is refused with each violation",
      call: (way, token) =>
        way.call(
          createZone,
          { displayName: "", allowedNetworks: ["10.0.0.0/8", "nonsense"] },
          token,
        ),
      code: "invalid_argument",
      message: /displayName|display_name/,
      detail(t, { type, bytes }) {
        t.is(type, "buf.validate.Violations");
        const { violations } = fromBinary(ViolationsSchema, bytes);
        const fields = violations.map(({ field }) =>
          field?.elements.map(({ fieldName }) => fieldName).join("."),
        );
        t.true(fields.includes("display_name"));
        t.true(fields.includes("allowed_networks"));
      },
    },
    {
      title: "who has no credential is asked for one",
      call: (way) => way.call(listZones, {}, ""),
      reads: true,
      code: "unauthenticated",
      message: /^send a credential as "authorization: Bearer …": /,
      detail(t, { type, bytes }) {
        t.is(type, "lumetry.access.v1.Problem");
        t.is(fromBinary(ProblemSchema, bytes).reason, Reason.CREDENTIAL_UNKNOWN);
      },
    },
    {
      title: "who has the wrong kind of credential is told which it takes",
      call: (way) => way.call(listZones, {}, ground().ingestionKey),
      reads: true,
      code: "permission_denied",
      message: /takes the credential of a person/,
      detail(t, { type, bytes }) {
        t.is(type, "lumetry.access.v1.Problem");
        t.is(fromBinary(ProblemSchema, bytes).reason, Reason.NOT_ALLOWED);
      },
    },
    {
      title: "a name is taken once",
      call: (way, token) => way.call(createZone, { displayName: "default" }, token),
      code: "already_exists",
      message: /there is a zone of that name already/,
    },
  ];

  for (const { title, call, reads = false, code, message, detail } of refusals) {
    test(`${title}, alike in every protocol`, async (t) => {
      const outcomes = new Set<string>();
      await each(
        t,
        async (way, token) => {
          const outcome = await call(way, token);
          outcomes.add(JSON.stringify(outcome));
          if (!("code" in outcome)) return t.fail(`${way.name}: ${JSON.stringify(outcome)}`);
          t.is(outcome.code, code, way.name);
          t.regex(outcome.message, message, way.name);
          t.is(outcome.details.length, detail ? 1 : 0, way.name);
          for (const { type, value: text } of outcome.details) {
            detail?.(t, { type, bytes: base64Decode(text) });
          }
        },
        reads,
      );
      t.is(outcomes.size, 1, [...outcomes].join("\n"));
    });
  }

  test("points are written alike, and a batch that comes again by another way gets the first answer", async (t) => {
    const { ingestionKey } = ground();
    const answers = new Set<string>();
    const time = new Date().toISOString();
    await each(t, async (way) => {
      const batch = {
        batchId: "the-same-by-every-way",
        series: [
          {
            metric: "room.temperature",
            labels: { room: "kitchen" },
            points: [{ time, value: 21.5 }],
          },
          { metric: "no metric's name", points: [{ time, value: 1 }] },
        ],
      };
      const outcome = await way.call(writeMetrics, batch, ingestionKey);
      answers.add(JSON.stringify(value(t, way, outcome)));
    });
    t.is(answers.size, 1, [...answers].join("\n"));
    const [answer = ""] = answers;
    t.regex(answer, /"acceptedPoints":"1","refusedPoints":"1"/);
    t.regex(answer, /"seriesIndex":1/);
  });
}

const zoneNamed = (displayName: string) => ({ displayName, allowedNetworks: ["10.0.0.0/8"] });

function value(t: ExecutionContext, way: Way, outcome: Outcome): JsonObject {
  if ("value" in outcome) return outcome.value as JsonObject;
  t.fail(`${way.name}: ${outcome.code}: ${outcome.message}`);
  return {};
}
