import { useMutation, useQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { useLocation } from "wouter";
import { MetricQueryService } from "../../../../../gen/lumetry/v1/metric_query_service_pb.js";
import {
  RuleSettings_Direction as Direction,
  type Rule,
} from "../../../../../gen/lumetry/v1/rule_pb.js";
import { RuleService } from "../../../../../gen/lumetry/v1/rule_service_pb.js";
import type { Severity } from "../../../../../gen/lumetry/v1/severity_pb.js";
import { MatcherList } from "../../alerting/conditions.tsx";
import { RulePreview } from "../../alerting/rule-preview.tsx";
import { SEVERITY_OPTIONS } from "../../alerting/severity.tsx";
import { queryClient } from "../../client/live.ts";
import { Button, Segments } from "../../ui/button.tsx";
import { AreaField, CheckField, SelectField, TextField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { PairsField } from "../../ui/pairs.tsx";
import { useSettled } from "../../ui/settled.tsx";
import { say } from "../../ui/toast.tsx";
import { aggregationWords, combinationText, groupingWords } from "../../words/combinations.ts";
import { type Condition, draftOf, NEW_RULE, type RuleDraft, settingsOf } from "./draft.ts";
import { MutingWindows } from "./muting-windows.tsx";

const CONDITIONS: { value: Condition; label: string }[] = [
  { value: "threshold", label: "A value is beyond a bound" },
  { value: "rateOfChange", label: "It changes too fast" },
  { value: "absence", label: "Nothing comes" },
];

export function RuleForm({ rule }: { rule: Rule | undefined }) {
  const [, navigate] = useLocation();
  const [draft, setDraft] = useState<RuleDraft>(rule?.settings ? draftOf(rule.settings) : NEW_RULE);
  const set = (change: Partial<RuleDraft>) => setDraft({ ...draft, ...change });
  const id = useId();
  const wanted = useSettled(draft.metric.trim());
  const metrics = useQuery(
    MetricQueryService.method.listMetrics,
    { nameContains: wanted, pageSize: 30 },
    { placeholderData: keepPreviousData },
  );
  const create = useMutation(RuleService.method.createRule);
  const update = useMutation(RuleService.method.updateRule);
  const settings = settingsOf(draft);
  const isReady = settings !== undefined && draft.displayName.trim() !== "";
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (!isReady) return;
    const done = rule
      ? await update.mutateAsync({ ruleId: rule.ruleId, settings, revision: rule.revision })
      : await create.mutateAsync({ settings });
    queryClient.invalidateQueries();
    say(`${draft.displayName} is ${rule ? "changed" : "in force"}.`);
    navigate(`/rules/${done.rule?.ruleId}`);
  };
  const error = create.error ?? update.error;
  const isAbsence = draft.condition === "absence";
  return (
    <form className="form-page" onSubmit={(event) => void save(event).catch(() => {})}>
      <div className="page">
        <div className="card padded form">
          <div className="form-row">
            <TextField
              label="Name"
              required
              maxLength={128}
              autoComplete="off"
              value={draft.displayName}
              onChange={({ target }) => set({ displayName: target.value })}
            />
            <SelectField<Severity>
              label="Severity"
              value={draft.severity}
              options={SEVERITY_OPTIONS}
              onChange={(severity) => set({ severity })}
            />
          </div>
          <TextField
            label="Metric"
            hint="It need not exist yet"
            list={`${id}-metrics`}
            required
            spellCheck={false}
            autoComplete="off"
            maxLength={255}
            value={draft.metric}
            onChange={({ target }) => set({ metric: target.value })}
          />
          <datalist id={`${id}-metrics`}>
            {metrics.data?.metrics.map(({ metric }) => (
              <option key={metric} value={metric} />
            ))}
          </datalist>
          <MatcherList
            label="Only series with labels"
            hint="label=value, !=, =~ or !~ with a regular expression, or label in (a, b)"
            matchers={draft.matchers}
            onChange={(matchers) => set({ matchers })}
          />
        </div>
        <div className="card padded form">
          <h2>Wrong when</h2>
          <Segments<Condition>
            label="What is wrong"
            value={draft.condition}
            options={CONDITIONS}
            onChange={(condition) => set({ condition })}
          />
          {isAbsence ? (
            <TextField
              label="For so long, in seconds"
              hint="From 30 to 86,400; of what was heard of before"
              type="number"
              min={30}
              max={86_400}
              required
              value={draft.absenceS}
              onChange={({ target }) => set({ absenceS: target.value })}
            />
          ) : (
            <>
              <div className="form-row">
                {draft.condition === "threshold" && (
                  <SelectField
                    label="What makes one value"
                    value={draft.agg}
                    options={aggregationWords(draft.agg).map((word) => ({
                      value: word,
                      label: combinationText(word),
                    }))}
                    onChange={(agg) => set({ agg })}
                  />
                )}
                <TextField
                  label="Of the points of so long, in seconds"
                  type="number"
                  min={1}
                  max={3_600}
                  required
                  value={draft.windowS}
                  onChange={({ target }) => set({ windowS: target.value })}
                />
              </div>
              <div className="form-row">
                <SelectField<Direction>
                  label="Is"
                  value={draft.direction}
                  options={[
                    { value: Direction.ABOVE, label: "above" },
                    { value: Direction.BELOW, label: "below" },
                  ]}
                  onChange={(direction) => set({ direction })}
                />
                <TextField
                  label={draft.condition === "threshold" ? "The bound" : "The change a second"}
                  type="number"
                  step="any"
                  required
                  value={draft.bound}
                  onChange={({ target }) => set({ bound: target.value })}
                />
                <TextField
                  label="Over only when back at"
                  hint="The same unless given"
                  type="number"
                  step="any"
                  value={draft.recovery}
                  onChange={({ target }) => set({ recovery: target.value })}
                />
              </div>
              <TextField
                label="And stays so for, in seconds"
                hint="It is pending until then; 0 fires at once"
                type="number"
                min={0}
                max={86_400}
                required
                value={draft.forS}
                onChange={({ target }) => set({ forS: target.value })}
              />
            </>
          )}
          <div className="form-row">
            <SelectField
              label="Series"
              value={draft.group}
              options={[
                { value: "", label: "each by itself" },
                ...groupingWords(draft.group)
                  .filter((word) => !word.startsWith("top"))
                  .map((word) => ({ value: word, label: `the ${combinationText(word)} of all` })),
              ]}
              onChange={(group) => set({ group })}
            />
            {draft.group !== "" && (
              <TextField
                label="By the labels"
                hint="With commas between them; all are one group when there are none"
                spellCheck={false}
                value={draft.by}
                onChange={({ target }) => set({ by: target.value })}
              />
            )}
          </div>
        </div>
        <div className="card padded form">
          <h2>What the alert says</h2>
          <AreaField
            label="Message"
            hint={
              <>
                A sentence is made unless given. <code>{"{{ $value }}"}</code>,{" "}
                <code>{"{{ $threshold }}"}</code>, <code>{"{{ $labels.NAME }}"}</code>,{" "}
                <code>{"{{ $metric }}"}</code> and <code>{"{{ $rule }}"}</code> are replaced.
              </>
            }
            spellCheck
            maxLength={2048}
            value={draft.message}
            onChange={({ target }) => set({ message: target.value })}
          />
          <TextField
            label="Runbook"
            hint="Where it says what to do"
            placeholder="https://wiki.example.com/runbooks/disk-full"
            spellCheck={false}
            maxLength={2048}
            value={draft.runbookUrl}
            onChange={({ target }) => set({ runbookUrl: target.value })}
          />
          <PairsField
            label="Labels"
            hint="Set on its alerts, for routes and silences"
            name="Label"
            value="Value"
            pairs={draft.labels}
            onChange={(labels) => set({ labels })}
          />
          <MutingWindows muting={draft.muting} onChange={(muting) => set({ muting })} />
          <CheckField
            label="Switched off: nothing is judged, and its alerts end"
            checked={draft.disabled}
            onChange={(disabled) => set({ disabled })}
          />
        </div>
        {error && <Failure error={error} />}
        <div className="form-end">
          <Button onClick={() => navigate(rule ? `/rules/${rule.ruleId}` : "/rules")}>
            Cancel
          </Button>
          <Button
            type="submit"
            kind="main"
            busy={create.isPending || update.isPending}
            disabled={!isReady}
          >
            {rule ? "Save" : "Add"}
          </Button>
        </div>
      </div>
      <aside className="form-aside">
        <RulePreview settings={settings} />
      </aside>
    </form>
  );
}
