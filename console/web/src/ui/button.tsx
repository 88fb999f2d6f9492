import type { ComponentProps, ReactNode } from "react";
import { Icon, type IconName } from "./icon.tsx";
import { Tip } from "./tip.tsx";

interface Look {
  kind?: "main" | "danger" | "quiet" | "plain";
  size?: "small" | "normal";
  icon?: IconName;
}

export function Button({
  kind = "plain",
  size = "normal",
  icon,
  busy = false,
  children,
  ...rest
}: Look & { busy?: boolean } & ComponentProps<"button">) {
  return (
    <button
      type="button"
      {...rest}
      className="button"
      data-kind={kind}
      data-size={size}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
    >
      {icon && <Icon name={icon} size={14} />}
      {children}
    </button>
  );
}

/** A button whose word is in its tip only. */
export function IconButton({
  icon,
  label,
  kind = "quiet",
  ...rest
}: { icon: IconName; label: string; kind?: Look["kind"] } & ComponentProps<"button">) {
  return (
    <Tip text={label}>
      <button
        type="button"
        aria-label={label}
        {...rest}
        className="button icon-button"
        data-kind={kind}
      >
        <Icon name={icon} />
      </button>
    </Tip>
  );
}

/** One of a few, side by side. */
export function Segments<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; label: ReactNode }[];
  onChange: (value: T) => void;
}) {
  return (
    <fieldset className="segments plain-set" aria-label={props.label}>
      {props.options.map(({ value, label }) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === props.value}
          onClick={() => props.onChange(value)}
        >
          {label}
        </button>
      ))}
    </fieldset>
  );
}
