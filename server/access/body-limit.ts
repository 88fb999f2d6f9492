import type { DescService } from "@bufbuild/protobuf";
import { Caller as CallerKind } from "../../gen/lumetry/access/v1/access_pb.js";
import { accessRule } from "./rules.ts";

/** A request, compressed or not, never takes more memory than this. */
const MOST_BYTES = 4 << 20;
/** Strangers have little to say: a token, a password, a name. */
const MOST_BYTES_OF_STRANGERS = 64 << 10;

/** How large a request to a service may be, in bytes, compressed or not. */
export function mostBytes(service: DescService): number {
  const isOpen = service.methods.some((method) =>
    accessRule(method).callers.includes(CallerKind.ANYONE),
  );
  return isOpen ? MOST_BYTES_OF_STRANGERS : MOST_BYTES;
}
