import { useState } from "react";
import { Chip } from "../../ui/chip.tsx";
import { type Matcher, matcherText, readMatcher } from "../../words/labels.ts";
import { AddField, useConditions, useLabelNames } from "./suggested.tsx";

/** The conditions on labels. */
export function Matchers(props: {
  metric: string;
  matchers: Matcher[];
  onChange: (matchers: Matcher[]) => void;
}) {
  const { metric, matchers, onChange } = props;
  const [text, setText] = useState("");
  const suggestions = useConditions(metric, text);
  return (
    <div className="chips">
      <span className="soft">Where</span>
      {matchers.map((matcher, index) => (
        <Chip
          key={matcherText(matcher)}
          text={matcherText(matcher)}
          remove={`Remove ${matcherText(matcher)}`}
          onRemove={() => onChange(matchers.filter((_, other) => other !== index))}
        />
      ))}
      <AddField
        label="Only series with a label, as label=value, !=, =~ or !~ with a regular expression, or label in (a, b)"
        placeholder="label=value, =~, in (…)"
        text={text}
        onText={setText}
        suggestions={suggestions}
        onAdd={() => {
          const read = readMatcher(text);
          if (!read) return "Write label=value, !=, =~, !~ or label in (a, b)";
          onChange([...matchers, read]);
          return undefined;
        }}
      />
    </div>
  );
}

/** The labels by which series are combined. */
export function GroupLabels(props: {
  metric: string;
  labels: string[];
  onChange: (labels: string[]) => void;
}) {
  const { metric, labels, onChange } = props;
  const [text, setText] = useState("");
  const suggestions = useLabelNames(metric, text.trim());
  return (
    <div className="chips">
      <span className="soft">by</span>
      {labels.map((label) => (
        <Chip
          key={label}
          text={label}
          remove={`Not by ${label}`}
          onRemove={() => onChange(labels.filter((other) => other !== label))}
        />
      ))}
      <AddField
        label="Combine series by a label"
        placeholder={labels.length === 0 ? "label; all in one unless given" : "another label"}
        text={text}
        onText={setText}
        suggestions={suggestions}
        onAdd={() => {
          const label = text.trim();
          if (!/^[A-Za-z_][\w.:]*$/.test(label)) return "This is no label";
          if (!labels.includes(label)) onChange([...labels, label]);
          return undefined;
        }}
      />
    </div>
  );
}
