import { useState } from "react";
import { serverNow } from "../../client/clock.ts";
import type { Span } from "../../client/range.ts";
import { Button } from "../../ui/button.tsx";
import { FormDialog } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/field.tsx";
import { clockText, fromField, toField, useTimeZone } from "../../words/moments.ts";

/** From when to when, where that is not "until now". */
export function Moments({
  span,
  onChange,
}: {
  span: Span;
  onChange: (from: number, to: number) => void;
}) {
  const { zone } = useTimeZone();
  const [edited, setEdited] = useState<{ from: string; to: string }>();
  const now = serverNow();
  const { from, to } = "lastMs" in span ? { from: now - span.lastMs, to: now } : span;
  const ready =
    edited !== undefined && edited.from !== "" && fromField(edited.from) < fromField(edited.to);
  return (
    <>
      <Button onClick={() => setEdited({ from: toField(from), to: toField(to) })}>
        {"lastMs" in span ? "From … to …" : `${clockText(from)} – ${clockText(to)}`}
      </Button>
      <FormDialog
        open={edited !== undefined}
        onClose={() => setEdited(undefined)}
        title="From when to when"
        submit="Show"
        pending={false}
        error={undefined}
        ready={ready}
        onSubmit={() => {
          if (edited) onChange(fromField(edited.from), fromField(edited.to));
          setEdited(undefined);
        }}
      >
        <TextField
          label="From"
          type="datetime-local"
          step={1}
          value={edited?.from ?? ""}
          onChange={(event) => edited && setEdited({ ...edited, from: event.target.value })}
        />
        <TextField
          label="To"
          hint={`In the time zone ${zone}`}
          type="datetime-local"
          step={1}
          value={edited?.to ?? ""}
          mistake={
            edited && edited.to !== "" && !ready ? "It has to be after the first." : undefined
          }
          onChange={(event) => edited && setEdited({ ...edited, to: event.target.value })}
        />
      </FormDialog>
    </>
  );
}
