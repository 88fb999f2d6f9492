import { useState } from "react";
import { RuleSettings_DaySchema as DaySchema } from "../../../../../gen/lumetry/v1/rule_pb.js";
import { Button } from "../../ui/button.tsx";
import { CheckField, TextField } from "../../ui/field.tsx";
import { enumValues, enumWord } from "../../words/counts.ts";
import type { RuleDraft } from "./draft.ts";

type Windows = RuleDraft["muting"];

/** When nothing begins, week by week. */
export function MutingWindows(props: { muting: Windows; onChange: (muting: Windows) => void }) {
  const { muting, onChange } = props;
  const [keys, setKeys] = useState(() => muting.map((_, index) => index));
  const set = (at: number, change: Partial<Windows[number]>) =>
    onChange(muting.map((each, index) => (index === at ? { ...each, ...change } : each)));
  return (
    <fieldset className="field plain-set">
      <legend className="legend">Muted</legend>
      <span className="hint">
        When nothing begins, every week. What still holds at the end of it begins then.
      </span>
      {muting.map(({ days, start, end, timeZone }, at) => (
        <fieldset
          key={keys[at] ?? at}
          className="row-fields"
          aria-label={`muting window ${at + 1}`}
        >
          <TextField
            label="From"
            type="time"
            required
            value={start}
            onChange={({ target }) => set(at, { start: target.value })}
          />
          <TextField
            label="To"
            type="time"
            required
            value={end}
            onChange={({ target }) => set(at, { end: target.value })}
          />
          <TextField
            label="Time zone"
            placeholder="UTC"
            spellCheck={false}
            maxLength={64}
            value={timeZone}
            onChange={({ target }) => set(at, { timeZone: target.value })}
          />
          <div className="toolbar whole">
            {enumValues(DaySchema).map((day) => (
              <CheckField
                key={day}
                label={enumWord(DaySchema, day).slice(0, 3)}
                checked={days.includes(day)}
                onChange={(checked) =>
                  set(at, { days: checked ? [...days, day] : days.filter((each) => each !== day) })
                }
              />
            ))}
            <span className="hint soft">every day when none is chosen</span>
          </div>
          <Button
            size="small"
            kind="quiet"
            icon="close"
            aria-label={`Remove muting window ${at + 1}`}
            onClick={() => {
              setKeys(keys.filter((_, index) => index !== at));
              onChange(muting.filter((_, index) => index !== at));
            }}
          >
            Remove
          </Button>
        </fieldset>
      ))}
      <div>
        <Button
          size="small"
          icon="plus"
          onClick={() => {
            setKeys([...keys, 1 + Math.max(-1, ...keys)]);
            onChange([...muting, { days: [], start: "22:00", end: "06:00", timeZone: "" }]);
          }}
        >
          Add a muting window
        </Button>
      </div>
    </fieldset>
  );
}
