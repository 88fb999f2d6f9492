import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import type { Severity } from "../../../../gen/lumetry/v1/severity_pb.js";
import { type Silence, SilenceService } from "../../../../gen/lumetry/v1/silence_service_pb.js";
import { serverNow } from "../client/clock.ts";
import { queryClient } from "../client/live.ts";
import { FormDialog } from "../ui/dialog.tsx";
import { SelectField, TextField } from "../ui/field.tsx";
import { say } from "../ui/toast.tsx";
import type { Matcher } from "../words/labels.ts";
import { fromField, toField, useTimeZone } from "../words/moments.ts";
import { AlertConditionsFields } from "./conditions.tsx";

const HOUR_MS = 3_600_000;
const LENGTHS = [
  { value: HOUR_MS / 2, label: "half an hour" },
  { value: HOUR_MS, label: "an hour" },
  { value: 4 * HOUR_MS, label: "4 hours" },
  { value: 24 * HOUR_MS, label: "a day" },
  { value: 168 * HOUR_MS, label: "7 days" },
  { value: 0, label: "until …" },
];

/** A new silence about some alerts or an incident, or one of which the end and the reason change. */
export function SilenceForm(props: {
  silence?: Silence;
  incidentId?: string;
  onClose: () => void;
}) {
  const { silence, incidentId = "", onClose } = props;
  const { zone } = useTimeZone();
  const [matchers, setMatchers] = useState<Matcher[]>([]);
  const [severities, setSeverities] = useState<Severity[]>([]);
  const [start, setStart] = useState("");
  const [length, setLength] = useState(silence ? 0 : HOUR_MS);
  const [end, setEnd] = useState(silence?.endTime ? toField(timestampMs(silence.endTime)) : "");
  const [reason, setReason] = useState(silence?.reason ?? "");
  const create = useMutation(SilenceService.method.createSilence);
  const update = useMutation(SilenceService.method.updateSilence);
  const begins = start === "" ? serverNow() : fromField(start);
  const ends = length > 0 ? begins + length : fromField(end);
  const isAbout =
    silence !== undefined || incidentId !== "" || matchers.length > 0 || severities.length > 0;
  const save = async () => {
    const endTime = timestampFromMs(ends);
    if (silence) {
      await update.mutateAsync({ silenceId: silence.silenceId, endTime, reason });
    } else {
      await create.mutateAsync({
        incidentId,
        ...(incidentId === "" && { conditions: { matchers, severities } }),
        ...(start !== "" && { startTime: timestampFromMs(begins) }),
        endTime,
        reason,
      });
    }
    queryClient.invalidateQueries();
    say("It is kept from being told. Alerts and incidents go on as ever.");
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={silence ? "Change the silence" : "Silence alerts"}
      submit={silence ? "Save" : "Silence"}
      pending={create.isPending || update.isPending}
      error={create.error ?? update.error}
      ready={isAbout && reason.trim() !== "" && ends > begins}
      onSubmit={() => void save().catch(() => {})}
    >
      {incidentId !== "" && <p>The alerts of this incident, and no others.</p>}
      {!silence && incidentId === "" && (
        <AlertConditionsFields
          matchers={matchers}
          severities={severities}
          onMatchers={setMatchers}
          onSeverities={setSeverities}
        />
      )}
      {!silence && (
        <TextField
          label="From"
          hint={`Now unless given, in the time zone ${zone}`}
          type="datetime-local"
          value={start}
          onChange={({ target }) => setStart(target.value)}
        />
      )}
      <SelectField label="For" value={length} options={LENGTHS} onChange={setLength} />
      {length === 0 && (
        <TextField
          label="Until"
          hint={`In the time zone ${zone}; at most a year from now`}
          type="datetime-local"
          step={1}
          value={end}
          mistake={end !== "" && !(ends > begins) ? "It has to be after the beginning." : undefined}
          onChange={({ target }) => setEnd(target.value)}
        />
      )}
      <TextField
        label="Why"
        hint="For whoever wonders why nobody was told"
        maxLength={1024}
        value={reason}
        onChange={({ target }) => setReason(target.value)}
      />
    </FormDialog>
  );
}
