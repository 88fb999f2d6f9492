import {
  type Incident,
  Incident_StateSchema,
  Incident_State as State,
} from "../../../../gen/lumetry/v1/incident_pb.js";
import { Tag, type Tone } from "../ui/notice.tsx";
import { enumWord } from "../words/counts.ts";

const TONES: Partial<Record<State, Tone>> = {
  [State.OPEN]: "bad",
  [State.ACKNOWLEDGED]: "warn",
  [State.RESOLVED]: "good",
};

export const IncidentTag = ({ state }: { state: State }) => (
  <Tag tone={TONES[state] ?? "plain"}>{enumWord(Incident_StateSchema, state)}</Tag>
);

export const isOver = ({ state }: Incident) => state === State.RESOLVED;

/** "3 alerts, 1 firing, 1 silenced". */
export function alertsText({ alertCount, firingCount, silencedCount }: Incident): string {
  return [
    `${alertCount} ${alertCount === 1 ? "alert" : "alerts"}`,
    firingCount > 0 && `${firingCount} firing`,
    silencedCount > 0 && `${silencedCount} silenced`,
  ]
    .filter(Boolean)
    .join(", ");
}
