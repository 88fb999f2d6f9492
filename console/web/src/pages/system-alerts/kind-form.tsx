import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { type Severity, SeveritySchema } from "../../../../../gen/lumetry/v1/severity_pb.js";
import {
  SystemAlertService,
  type SystemAlertSettings,
  type WatchedKind,
} from "../../../../../gen/lumetry/v1/system_alert_service_pb.js";
import { SEVERITY_OPTIONS } from "../../alerting/severity.tsx";
import { queryClient } from "../../client/live.ts";
import { Button } from "../../ui/button.tsx";
import { FormDialog } from "../../ui/dialog.tsx";
import { CheckField, SelectField, TextField } from "../../ui/field.tsx";
import { Notice } from "../../ui/notice.tsx";
import { SpanField } from "../../ui/span-field.tsx";
import { say } from "../../ui/toast.tsx";
import { enumWord } from "../../words/counts.ts";
import { lengthText, thresholdText } from "../../words/system-alerts.ts";
import { changeOf, draftOf, isSame, type KindDraft, mistakesOf, rebased } from "./draft.ts";

/** How a kind is watched, to be changed. What somebody else changes meanwhile is said, and not undone. */
export function KindForm(props: {
  /** As it is now; it is read again while the form is open. */
  watched: WatchedKind;
  settings: SystemAlertSettings;
  defaults: SystemAlertSettings;
  /** Reads it again, for a last look before it is changed. */
  onLook: () => Promise<SystemAlertSettings | undefined>;
  onClose: () => void;
}) {
  const { watched, settings, defaults, onLook, onClose } = props;
  const { kind, title, description } = watched;
  const [before, setBefore] = useState(() => draftOf(settings));
  const [draft, setDraft] = useState(before);
  const set = (change: Partial<KindDraft>) => setDraft({ ...draft, ...change });
  const update = useMutation(SystemAlertService.method.updateSystemAlertKind);
  const [looking, setLooking] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const now = draftOf(settings);
  const isOverdue = !isSame(kind, now, before);
  const mistakes = mistakesOf(draft);
  // What cannot be read has no form in the contract.
  const isRight = Object.keys(mistakes).length === 0;
  const change = isRight ? changeOf(kind, draft, before) : undefined;
  const save = async () => {
    setFailure(undefined);
    setLooking(true);
    const latest = await onLook().finally(() => setLooking(false));
    // The page has it by now, and says so.
    if (!change || !latest || !isSame(kind, draftOf(latest), before)) return;
    await update.mutateAsync(change);
    queryClient.invalidateQueries();
    say(`${title} is changed. It is in force at the next look, which comes at once.`);
    onClose();
  };
  const usually = (text: string) => `Usually ${text}`;
  return (
    <FormDialog
      open
      onClose={onClose}
      title={title}
      submit="Save"
      pending={update.isPending || looking}
      error={update.error ?? failure}
      ready={change !== undefined && !isOverdue}
      onSubmit={() => void save().catch(setFailure)}
    >
      <p className="soft">{description}</p>
      {isOverdue && (
        <Notice
          tone="warn"
          actions={
            <Button
              size="small"
              onClick={() => {
                setDraft(rebased(draft, before, now));
                setBefore(now);
              }}
            >
              Go on from there
            </Button>
          }
        >
          <p className="strong" role="status">
            Somebody else has changed this meanwhile.
          </p>
          <p>Go on from how it is now: what you have typed stays. Then look at it, and save.</p>
        </Notice>
      )}
      <CheckField
        label="Watched: when it is off, its alerts end"
        checked={draft.enabled}
        onChange={(enabled) => set({ enabled })}
      />
      <SelectField<Severity>
        label="Severity"
        hint={usually(enumWord(SeveritySchema, defaults.severity))}
        value={draft.severity}
        options={SEVERITY_OPTIONS}
        onChange={(severity) => set({ severity })}
      />
      {(draft.form === "heartbeats" || draft.form === "percent") && (
        <TextField
          label={
            draft.form === "heartbeats" ? "From so many missed heartbeats on" : "From so many % on"
          }
          hint={usually(thresholdText(defaults))}
          mistake={mistakes.threshold}
          inputMode="numeric"
          autoComplete="off"
          required
          value={draft.count}
          onChange={({ target }) => set({ count: target.value })}
        />
      )}
      {draft.form === "span" && (
        <SpanField
          label="From a span of"
          hint={usually(thresholdText(defaults))}
          mistake={mistakes.threshold}
          value={draft.span}
          onChange={(span) => set({ span })}
        />
      )}
      <SpanField
        label="Hold-down"
        hint={`How long it has to be so before the alert fires. ${usually(lengthText(defaults.holdDown))}`}
        mistake={mistakes.holdDown}
        value={draft.holdDown}
        onChange={(holdDown) => set({ holdDown })}
      />
      <SpanField
        label="Recovery"
        hint={`How long all has to be well before it is over. ${usually(lengthText(defaults.recovery))}`}
        mistake={mistakes.recovery}
        value={draft.recovery}
        onChange={(recovery) => set({ recovery })}
      />
    </FormDialog>
  );
}
