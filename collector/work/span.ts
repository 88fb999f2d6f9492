import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";

/** Milliseconds, broken ones too, as a duration to the microsecond; negative ones are none. */
export function span(ms: number): Duration {
  const micros = Math.max(0, Math.round(ms * 1000));
  return create(DurationSchema, {
    seconds: BigInt(Math.floor(micros / 1e6)),
    nanos: (micros % 1e6) * 1000,
  });
}
