import { useState } from "react";
import type { Severity } from "../../../../gen/lumetry/v1/severity_pb.js";
import { SeveritySchema } from "../../../../gen/lumetry/v1/severity_pb.js";
import type { AlertConditions } from "../../../../gen/lumetry/v1/silence_service_pb.js";
import { Button } from "../ui/button.tsx";
import { Chip } from "../ui/chip.tsx";
import { CheckField, TextField } from "../ui/field.tsx";
import { enumWord } from "../words/counts.ts";
import { type Matcher, matcherText, readMatcher } from "../words/labels.ts";
import { SEVERITIES } from "./severity.tsx";

/** Which alerts are meant: those for which all of it holds. */
export function AlertConditionsFields(props: {
  matchers: Matcher[];
  severities: Severity[];
  onMatchers: (matchers: Matcher[]) => void;
  onSeverities: (severities: Severity[]) => void;
}) {
  const { matchers, severities, onMatchers, onSeverities } = props;
  return (
    <>
      <MatcherList
        label="With labels"
        hint="Their own, and alertname: label=value, !=, =~ or !~ with a regular expression, or label in (a, b)"
        matchers={matchers}
        onChange={onMatchers}
      />
      <fieldset className="field plain-set">
        <legend className="legend">Of severity</legend>
        <div className="toolbar">
          {SEVERITIES.map((severity) => (
            <CheckField
              key={severity}
              label={enumWord(SeveritySchema, severity)}
              checked={severities.includes(severity)}
              onChange={(checked) =>
                onSeverities(
                  checked
                    ? [...severities, severity]
                    : severities.filter((each) => each !== severity),
                )
              }
            />
          ))}
        </div>
        <span className="hint">Of any when none is chosen</span>
      </fieldset>
    </>
  );
}

/** Conditions on labels, added one by one. */
export function MatcherList(props: {
  label: string;
  hint: string;
  matchers: Matcher[];
  onChange: (matchers: Matcher[]) => void;
}) {
  const { label, hint, matchers, onChange } = props;
  const [text, setText] = useState("");
  const [isWrong, setWrong] = useState(false);
  const add = () => {
    const read = readMatcher(text);
    setWrong(!read);
    if (!read) return;
    onChange([...matchers, read]);
    setText("");
  };
  return (
    <div className="section">
      <div className="with-button">
        <TextField
          label={label}
          hint={hint}
          mistake={isWrong ? "Write label=value, !=, =~, !~ or label in (a, b)" : undefined}
          spellCheck={false}
          autoComplete="off"
          value={text}
          onChange={({ target }) => {
            setText(target.value);
            setWrong(false);
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || text.trim() === "") return;
            event.preventDefault();
            add();
          }}
        />
        <Button disabled={text.trim() === ""} onClick={add}>
          Add
        </Button>
      </div>
      {matchers.length > 0 && (
        <div className="chips">
          {matchers.map((matcher, index) => (
            <Chip
              key={matcherText(matcher)}
              text={matcherText(matcher)}
              remove={`Remove ${matcherText(matcher)}`}
              onRemove={() => onChange(matchers.filter((_, other) => other !== index))}
            />
          ))}
        </div>
      )}
    </div>
  );
}

/** "team=shop, severity critical", or "every alert". */
export function conditionsText(conditions: AlertConditions | undefined): string {
  const { matchers = [], severities = [], ruleIds = [], clusterIds = [] } = conditions ?? {};
  const words = [
    ...matchers.map(matcherText),
    severities.length > 0 &&
      `severity ${severities.map((each) => enumWord(SeveritySchema, each)).join(" or ")}`,
    ruleIds.length > 0 && `of the rules ${ruleIds.join(", ")}`,
    clusterIds.length > 0 && `in the clusters ${clusterIds.join(", ")}`,
  ].filter(Boolean);
  return words.length > 0 ? words.join(", ") : "every alert";
}
