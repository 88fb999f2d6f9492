import {
  type Source,
  Source_StatusSchema,
  Source_Status as Status,
} from "../../../../gen/lumetry/v1/source_service_pb.js";
import { Ago } from "../ui/age.tsx";
import { Tag, type Tone } from "../ui/notice.tsx";
import { enumWord } from "../words/counts.ts";

/** Set by the server on all that a source has brought. */
export const SOURCE_LABEL = "lumetry.source_id";

const TONES: Partial<Record<Status, Tone>> = {
  [Status.UP]: "good",
  [Status.DOWN]: "bad",
  [Status.LATE]: "warn",
  [Status.UNASSIGNED]: "warn",
};

export const ADVICE: Partial<Record<Status, string>> = {
  [Status.UNASSIGNED]:
    "No collector of its zone that may poll is connected. Grant one the capability to poll sources, or start one there.",
  [Status.LATE]: "Polls are due, and none is reported: its collector may be overloaded or away.",
};

export const statusWord = (status: Status) => enumWord(Source_StatusSchema, status);

export const SourceTag = ({ status }: { status: Status }) => (
  <Tag tone={TONES[status] ?? "plain"}>{statusWord(status)}</Tag>
);

/** When the last report of a poll came, by the server's clock. */
export const LastPoll = ({ source }: { source: Source }) => (
  <Ago age={source.poll?.lastReportAge} never="not yet" />
);
