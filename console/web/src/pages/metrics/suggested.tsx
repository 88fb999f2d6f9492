import { useQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { MetricQueryService } from "../../../../../gen/lumetry/v1/metric_query_service_pb.js";
import { useSettled } from "../../ui/settled.tsx";

const MOST = 30;

/** Names of labels that contain a text, of one metric or of all. */
export function useLabelNames(metric: string, contains: string, enabled = true): string[] {
  const { data } = useQuery(
    MetricQueryService.method.listLabels,
    { metric, nameContains: contains, pageSize: MOST },
    { enabled, placeholderData: keepPreviousData },
  );
  return enabled ? (data?.labels ?? []).map(({ label }) => label) : [];
}

/** Conditions that begin with what is typed: first a label, then one of its values. */
export function useConditions(metric: string, text: string): string[] {
  const typed = useSettled(text);
  const match = /^\s*([A-Za-z_][\w.:]*)(!?=)(?!~)(.*)$/s.exec(typed);
  const [, label = "", sign = "", value = ""] = match ?? [];
  const names = useLabelNames(metric, typed.trim(), !match);
  const { data } = useQuery(
    MetricQueryService.method.listLabelValues,
    { label, metric, valueContains: value.trim(), pageSize: MOST },
    { enabled: label !== "", placeholderData: keepPreviousData },
  );
  if (!match) return names.map((name) => `${name}=`);
  return (data?.values ?? []).map((each) => `${label}${sign}${each.value}`);
}

/** A field that suggests, and adds what is entered. Says why when it cannot. */
export function AddField(props: {
  label: string;
  placeholder: string;
  text: string;
  onText: (text: string) => void;
  suggestions: string[];
  /** What is wrong with it, if anything. */
  onAdd: (text: string) => string | undefined;
}) {
  const { label, placeholder, text, onText, suggestions, onAdd } = props;
  const [mistake, setMistake] = useState<string>();
  const id = useId();
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "") return;
    const wrong = onAdd(text);
    setMistake(wrong);
    if (!wrong) onText("");
  };
  return (
    <form onSubmit={add} className="matcher-form">
      <input
        className="input"
        aria-label={label}
        placeholder={placeholder}
        value={text}
        list={`${id}-list`}
        spellCheck={false}
        autoComplete="off"
        maxLength={2048}
        aria-invalid={mistake ? true : undefined}
        onChange={(event) => {
          onText(event.target.value);
          setMistake(undefined);
        }}
      />
      <datalist id={`${id}-list`}>
        {suggestions.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      {mistake && (
        <span className="mistake" role="alert">
          {mistake}
        </span>
      )}
    </form>
  );
}
