import { TextField } from "../../ui/field.tsx";

export const LEAST_PASSWORD = 12;

/** A password that is being made. */
export function NewPassword(props: {
  label?: string;
  value: string;
  onChange: (value: string) => void;
}) {
  const { label = "Password", value, onChange } = props;
  const missing = LEAST_PASSWORD - value.length;
  return (
    <TextField
      label={label}
      type="password"
      autoComplete="new-password"
      required
      minLength={LEAST_PASSWORD}
      maxLength={256}
      hint={
        value === "" || missing > 0
          ? `At least ${LEAST_PASSWORD} characters; a few unrelated words are good${missing > 0 && value !== "" ? `. ${missing} more` : ""}`
          : "Long enough"
      }
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
