import { create } from "@bufbuild/protobuf";
import { type Reading, ReadingSchema } from "../../gen/lumetry/source/v1/reading_pb.js";

/** How much a reading takes on the wire, about. */
export const sizeOf = (reading: Reading): number =>
  500 + reading.series.length * 120 + reading.metadata.length * 120;

/** What is left to say of a reading that the server cannot take. */
export const briefly = ({ duration, phases }: Reading): Reading =>
  create(ReadingSchema, {
    up: false,
    failure: "what it answered is too large, or too odd, to be told to the server",
    ...(duration ? { duration } : {}),
    phases,
  });
