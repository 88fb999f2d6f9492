import { useState } from "react";
import { type Draft, jsonText, readJson } from "../../sources/document.ts";
import { AreaField } from "../../ui/field.tsx";

/** The same settings as the command line takes them. What is no settings is kept as typed, and told. */
export function JsonSettings(props: { draft: Draft; onChange: (draft: Draft) => void }) {
  const [typed, setTyped] = useState(() => jsonText(props.draft));
  const [mistake, setMistake] = useState<string>();
  return (
    <AreaField
      label="Settings, as JSON"
      hint={
        <>
          What <code>lumetry sources create --settings</code> takes
        </>
      }
      mistake={mistake}
      rows={16}
      maxLength={1_048_576}
      value={typed}
      onChange={({ target }) => {
        setTyped(target.value);
        try {
          props.onChange(readJson(target.value));
          setMistake(undefined);
        } catch (error) {
          setMistake((error as Error).message);
        }
      }}
    />
  );
}
