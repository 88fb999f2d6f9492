import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { useState } from "react";
import { Button } from "../ui/button.tsx";
import { AreaField, CheckField, SelectField, TextField } from "../ui/field.tsx";
import { PairsField } from "../ui/pairs.tsx";
import { valueAt, withValue } from "./document.ts";
import type { Field } from "./fields.ts";

/** The fields of one message; what few need is folded away until it says something. */
export function SettingsFields(props: {
  fields: Field[];
  settings: JsonObject;
  onChange: (settings: JsonObject) => void;
}) {
  const { settings, onChange } = props;
  const fields = props.fields.filter(({ isShown }) => isShown?.(settings) ?? true);
  const rare = fields.filter(({ isRare }) => isRare);
  const [isOpen] = useState(rare.some(({ path }) => valueAt(settings, path) !== undefined));
  const draw = (field: Field) => (
    <SettingField
      key={field.path}
      field={field}
      value={valueAt(settings, field.path)}
      onChange={(value) => onChange(withValue(settings, field.path, value, field.keepsParent))}
    />
  );
  return (
    <>
      {fields.filter(({ isRare }) => !isRare).map(draw)}
      {rare.length > 0 && (
        <details className="more-settings" open={isOpen}>
          <summary>More settings</summary>
          <div className="form">{rare.map(draw)}</div>
        </details>
      )}
    </>
  );
}

const textOf = (value: JsonValue | undefined) =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";

function SettingField(props: {
  field: Field;
  value: JsonValue | undefined;
  onChange: (value: JsonValue | undefined) => void;
}) {
  const { field, value, onChange } = props;
  const { label, hint, placeholder, input, isRequired = false } = field;
  const words = { label, hint, placeholder, required: isRequired };
  switch (input.type) {
    case "text":
      return (
        <TextField
          {...words}
          spellCheck={false}
          autoComplete="off"
          value={textOf(value)}
          onChange={({ target }) => onChange(target.value === "" ? undefined : target.value)}
        />
      );
    case "area":
      return (
        <AreaField
          {...words}
          rows={4}
          value={textOf(value)}
          onChange={({ target }) => onChange(target.value === "" ? undefined : target.value)}
        />
      );
    case "number":
      return (
        <TextField
          {...words}
          type="number"
          min={input.least}
          max={input.most}
          value={textOf(value)}
          onChange={({ target }) =>
            onChange(target.value === "" ? undefined : target.valueAsNumber)
          }
        />
      );
    case "check":
      return (
        <CheckField
          label={label}
          checked={value === true}
          onChange={(checked) => onChange(checked || undefined)}
        />
      );
    case "presence":
      return (
        <CheckField
          label={label}
          checked={value !== undefined}
          onChange={(checked) => onChange(checked ? {} : undefined)}
        />
      );
    case "choice":
      return (
        <SelectField
          label={label}
          hint={hint}
          value={textOf(value)}
          options={[
            { value: "", label: input.otherwise },
            ...input.options.map(([name, word]) => ({ value: name, label: word })),
          ]}
          onChange={(name) => onChange(name === "" ? undefined : name)}
        />
      );
    case "lines":
      return <Lines words={words} value={value} onChange={onChange} />;
    case "bytes":
      return <Bytes words={words} value={value} onChange={onChange} />;
    case "pairs":
      return (
        <PairsField
          label={label}
          hint={hint}
          name={input.name}
          value={input.value}
          pairs={(value ?? {}) as Record<string, string>}
          onChange={(pairs) => onChange(Object.keys(pairs).length > 0 ? pairs : undefined)}
        />
      );
    case "rows":
      return (
        <Rows
          label={label}
          hint={hint}
          noun={input.noun}
          fields={input.fields}
          rows={Array.isArray(value) ? (value as JsonObject[]) : []}
          onChange={(rows) => onChange(rows.length > 0 ? rows : undefined)}
        />
      );
  }
}

interface Typed {
  words: { label: string; hint: string | undefined; placeholder: string | undefined };
  value: JsonValue | undefined;
  onChange: (value: JsonValue | undefined) => void;
}

function Lines({ words, value, onChange }: Typed) {
  const [typed, setTyped] = useState(Array.isArray(value) ? value.join("\n") : "");
  return (
    <AreaField
      {...words}
      value={typed}
      onChange={({ target }) => {
        setTyped(target.value);
        const lines = target.value
          .split("\n")
          .map((line) => line.trim())
          .filter(Boolean);
        onChange(lines.length > 0 ? lines : undefined);
      }}
    />
  );
}

const toBase64 = (text: string) =>
  btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));

/** What bytes say; undefined when they are no text. */
function fromBase64(base64: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function Bytes({ words, value, onChange }: Typed) {
  const typed = fromBase64(textOf(value));
  const isText = typed !== undefined;
  return (
    <AreaField
      {...words}
      hint={isText ? words.hint : "These bytes are no text: see them under JSON."}
      disabled={!isText}
      value={typed ?? ""}
      onChange={({ target }) => onChange(target.value === "" ? undefined : toBase64(target.value))}
    />
  );
}

function Rows(props: {
  label: string;
  hint: string | undefined;
  noun: string;
  fields: Field[];
  rows: JsonObject[];
  onChange: (rows: JsonObject[]) => void;
}) {
  const { label, hint, noun, fields, rows, onChange } = props;
  // What was typed into a row stays with it when another is removed.
  const [keys, setKeys] = useState(() => rows.map((_, index) => index));
  return (
    <fieldset className="field plain-set">
      <legend className="legend">{label}</legend>
      {hint && <span className="hint">{hint}</span>}
      {rows.map((row, at) => (
        <fieldset key={keys[at] ?? at} className="row-fields" aria-label={`${noun} ${at + 1}`}>
          <SettingsFields
            fields={fields}
            settings={row}
            onChange={(next) => onChange(rows.map((each, index) => (index === at ? next : each)))}
          />
          <Button
            size="small"
            kind="quiet"
            icon="close"
            aria-label={`Remove ${noun} ${at + 1}`}
            onClick={() => {
              setKeys(keys.filter((_, index) => index !== at));
              onChange(rows.filter((_, index) => index !== at));
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
            onChange([...rows, {}]);
          }}
        >
          Add a {noun}
        </Button>
      </div>
    </fieldset>
  );
}
