import { type ComponentProps, type ReactNode, useId } from "react";
import { Icon } from "./icon.tsx";

interface Words {
  label: string;
  hint?: ReactNode;
  mistake?: string | undefined;
}

export function TextField({ label, hint, mistake, ...rest }: Words & ComponentProps<"input">) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        {...rest}
        id={id}
        className="input"
        aria-invalid={mistake ? true : undefined}
        aria-describedby={hint || mistake ? `${id}-hint` : undefined}
      />
      <Below id={`${id}-hint`} hint={hint} mistake={mistake} />
    </div>
  );
}

/** Several lines, in the script of programs unless their spelling is checked. */
export function AreaField({ label, hint, mistake, ...rest }: Words & ComponentProps<"textarea">) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        rows={3}
        spellCheck={false}
        {...rest}
        id={id}
        className="text-area"
        data-prose={rest.spellCheck || undefined}
        aria-invalid={mistake ? true : undefined}
        aria-describedby={hint || mistake ? `${id}-hint` : undefined}
      />
      <Below id={`${id}-hint`} hint={hint} mistake={mistake} />
    </div>
  );
}

export function CheckField(props: {
  label: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    <label className="check">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onChange(event.target.checked)}
      />
      {props.label}
    </label>
  );
}

export function SelectField<T extends string | number>(
  props: Words & {
    value: T;
    options: readonly { value: T; label: string }[];
    onChange: (value: T) => void;
  },
) {
  const id = useId();
  const { label, hint, mistake, value, options, onChange } = props;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        className="select"
        value={String(value)}
        aria-describedby={hint || mistake ? `${id}-hint` : undefined}
        onChange={(event) => {
          const found = options.find((option) => String(option.value) === event.target.value);
          if (found) onChange(found.value);
        }}
      >
        {options.map((option) => (
          <option key={option.value} value={String(option.value)}>
            {option.label}
          </option>
        ))}
      </select>
      <Below id={`${id}-hint`} hint={hint} mistake={mistake} />
    </div>
  );
}

/** The same without room for a label, for toolbars. */
export function Choice<T extends string | number>(props: {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}) {
  return (
    <select
      className="select"
      aria-label={props.label}
      value={String(props.value)}
      onChange={(event) => {
        const found = props.options.find(({ value }) => String(value) === event.target.value);
        if (found) props.onChange(found.value);
      }}
    >
      {props.options.map(({ value, label }) => (
        <option key={value} value={String(value)}>
          {label}
        </option>
      ))}
    </select>
  );
}

function Below({
  id,
  hint,
  mistake,
}: {
  id: string;
  hint: ReactNode;
  mistake: string | undefined;
}) {
  if (mistake) {
    return (
      <span id={id} className="mistake">
        {mistake}
      </span>
    );
  }
  return hint ? (
    <span id={id} className="hint">
      {hint}
    </span>
  ) : null;
}

/** The place to which "/" leads. */
export function SearchField(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  onKeyDown?: ComponentProps<"input">["onKeyDown"];
}) {
  const { label, value, onChange, onKeyDown } = props;
  return (
    <div className="search">
      <Icon name="search" size={14} />
      <input
        className="input"
        type="search"
        data-search
        aria-label={label}
        placeholder={label}
        value={value}
        autoComplete="off"
        spellCheck={false}
        maxLength={128}
        onKeyDown={(event) => {
          if (event.key === "Escape" && value !== "") onChange("");
          onKeyDown?.(event);
        }}
        onChange={(event) => onChange(event.target.value)}
      />
      {value === "" && <kbd className="key">/</kbd>}
    </div>
  );
}
