import { type ReactNode, useId } from "react";
import { SPAN_UNITS, type TypedSpan } from "../words/spans.ts";

/** A span of time: an amount and its unit. */
export function SpanField(props: {
  label: string;
  hint?: ReactNode;
  mistake?: string | undefined;
  value: TypedSpan;
  onChange: (value: TypedSpan) => void;
}) {
  const { label, hint, mistake, value, onChange } = props;
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="span-field">
        <input
          id={id}
          className="input"
          type="number"
          min={0}
          step="any"
          required
          value={value.amount}
          aria-invalid={mistake ? true : undefined}
          aria-describedby={`${id}-hint`}
          onChange={({ target }) => onChange({ ...value, amount: target.value })}
        />
        <select
          className="select"
          aria-label={`${label}: unit`}
          value={value.unit}
          onChange={({ target }) => onChange({ ...value, unit: Number(target.value) })}
        >
          {SPAN_UNITS.map((unit) => (
            <option key={unit.value} value={unit.value}>
              {unit.label}
            </option>
          ))}
        </select>
      </div>
      <span id={`${id}-hint`} className={mistake ? "mistake" : "hint"}>
        {mistake ?? hint}
      </span>
    </div>
  );
}
