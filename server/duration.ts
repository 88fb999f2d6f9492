import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";

/** A measured span, kept to the microsecond: `durationFromMs` takes whole milliseconds only. */
export function measured(ms: number): Duration {
  const micros = Math.round(ms * 1000);
  return create(DurationSchema, {
    seconds: BigInt(Math.trunc(micros / 1e6)),
    nanos: (micros % 1e6) * 1000,
  });
}
