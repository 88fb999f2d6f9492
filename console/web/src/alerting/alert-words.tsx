import {
  type Alert,
  Alert_StateSchema,
  Alert_State as State,
} from "../../../../gen/lumetry/v1/alert_pb.js";
import { Tag, type Tone } from "../ui/notice.tsx";
import { enumWord } from "../words/counts.ts";

const TONES: Partial<Record<State, Tone>> = {
  [State.PENDING]: "warn",
  [State.FIRING]: "bad",
  [State.RESOLVED]: "good",
};

export const stateWord = (state: State) =>
  state === State.RESOLVED ? "over" : enumWord(Alert_StateSchema, state);

/** How far it has come; what another alert explains is told to nobody. */
export function AlertTag({ alert }: { alert: Alert }) {
  const { state, suppressedBy } = alert;
  if (suppressedBy !== "" && state !== State.RESOLVED) return <Tag>explained</Tag>;
  return <Tag tone={TONES[state] ?? "plain"}>{stateWord(state)}</Tag>;
}

/** Its rule's name, or the kind of a system alert in words. */
export const alertName = ({ source, ruleName }: Alert): string => {
  if (source.case === "systemKind") return source.value.replaceAll("_", " ");
  return ruleName || "a rule that is gone";
};
