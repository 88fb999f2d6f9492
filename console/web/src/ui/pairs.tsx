import { useId, useState } from "react";
import { Button, IconButton } from "./button.tsx";

/** Names with values, a row each. A row without a name does not count; of one name twice, the last does. */
export function PairsField(props: {
  label: string;
  hint?: string | undefined;
  /** What a name and a value are called. */
  name: string;
  value: string;
  /** The values are secrets: nobody reads over one's shoulder. */
  isSecret?: boolean;
  pairs: Record<string, string>;
  onChange: (pairs: Record<string, string>) => void;
}) {
  const { label, hint, name, value, isSecret = false, onChange } = props;
  const [rows, setRows] = useState(() =>
    Object.entries(props.pairs).map((pair, key) => ({ key, pair })),
  );
  const id = useId();
  const change = (next: typeof rows) => {
    setRows(next);
    onChange(
      Object.fromEntries(
        next.map(({ pair: [key, text] }) => [key.trim(), text]).filter(([key]) => key !== ""),
      ),
    );
  };
  const set = (at: number, pair: [string, string]) =>
    change(rows.map((row, index) => (index === at ? { ...row, pair } : row)));
  return (
    <fieldset className="field plain-set" aria-describedby={hint ? `${id}-hint` : undefined}>
      <legend className="legend">{label}</legend>
      {rows.map(({ key, pair }, at) => (
        <div key={key} className="pair">
          <input
            className="input"
            aria-label={name}
            placeholder={name}
            spellCheck={false}
            autoComplete="off"
            maxLength={128}
            value={pair[0]}
            onChange={(event) => set(at, [event.target.value, pair[1]])}
          />
          <input
            className="input"
            type={isSecret ? "password" : "text"}
            aria-label={`${value} of ${pair[0] || "the new one"}`}
            placeholder={value}
            spellCheck={false}
            autoComplete={isSecret ? "new-password" : "off"}
            value={pair[1]}
            onChange={(event) => set(at, [pair[0], event.target.value])}
          />
          <IconButton
            icon="close"
            label={`Remove ${pair[0] || "the new one"}`}
            onClick={() => change(rows.filter((_, index) => index !== at))}
          />
        </div>
      ))}
      {hint && (
        <span id={`${id}-hint`} className="hint">
          {hint}
        </span>
      )}
      <div>
        <Button
          size="small"
          icon="plus"
          aria-label={`Add to ${label}`}
          onClick={() => setRows([...rows, { key: 1 + (rows.at(-1)?.key ?? -1), pair: ["", ""] }])}
        >
          Add
        </Button>
      </div>
    </fieldset>
  );
}
