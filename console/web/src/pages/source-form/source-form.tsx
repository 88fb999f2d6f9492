import { durationMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@connectrpc/connect-query";
import { type FormEvent, useState } from "react";
import { useLocation } from "wouter";
import type { SourceSettings } from "../../../../../gen/lumetry/source/v1/settings_pb.js";
import { type Source, SourceService } from "../../../../../gen/lumetry/v1/source_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { useZones } from "../../client/zones.ts";
import { type Draft, draftOf, toSettings } from "../../sources/document.ts";
import { FIELDS, STARTS } from "../../sources/fields.ts";
import { type Secrets, SecretsForm } from "../../sources/secrets-form.tsx";
import { SettingsFields } from "../../sources/settings-fields.tsx";
import { TestRun, useTestRun } from "../../sources/test-run.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { CheckField, SelectField, TextField } from "../../ui/field.tsx";
import { Failure, Notice } from "../../ui/notice.tsx";
import { Section } from "../../ui/page.tsx";
import { PairsField } from "../../ui/pairs.tsx";
import { say } from "../../ui/toast.tsx";
import { KINDS, type KindName } from "../../words/sources.ts";
import { typedSeconds } from "../../words/spans.ts";
import { JsonSettings } from "./json-settings.tsx";

const KIND_NAMES = Object.keys(KINDS) as KindName[];
const secondsText = (duration: Source["interval"], otherwise: string) =>
  duration ? String(durationMs(duration) / 1000) : otherwise;

/** The settings, or why they are none yet. */
function read(draft: Draft): { settings?: SourceSettings; mistake?: string } {
  try {
    return { settings: toSettings(draft) };
  } catch (error) {
    return { mistake: (error as Error).message };
  }
}

export function SourceForm({ source }: { source: Source | undefined }) {
  const { zones } = useZones();
  const [, navigate] = useLocation();
  const [draft, setDraft] = useState<Draft>(
    draftOf(source?.settings) ?? { kind: "prometheusScrape", settings: {} },
  );
  const [view, setView] = useState<"form" | "json">("form");
  const [displayName, setDisplayName] = useState(source?.displayName ?? "");
  const [zone, setZone] = useState(source?.zoneId ?? "");
  const [interval, setInterval] = useState(secondsText(source?.interval, "60"));
  const [timeout, setTimeout] = useState(secondsText(source?.timeout, "10"));
  const [labels, setLabels] = useState<Record<string, string>>(source?.labels ?? {});
  const [paused, setPaused] = useState(false);
  const [secrets, setSecrets] = useState<Secrets>();
  const { run, start, stop } = useTestRun();
  const create = useMutation(SourceService.method.createSource);
  const update = useMutation(SourceService.method.updateSource);
  const { settings, mistake } = read(draft);
  const zoneId = zone || zones[0]?.zoneId || "";
  const isReady = displayName.trim() !== "" && settings !== undefined;

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (!isReady) return;
    const common = {
      displayName,
      zoneId,
      settings,
      interval: typedSeconds(interval),
      timeout: typedSeconds(timeout),
      ...(secrets && { secrets }),
    };
    const done = source
      ? await update.mutateAsync({ ...common, sourceId: source.sourceId, labels: { labels } })
      : await create.mutateAsync({ ...common, labels, paused });
    queryClient.invalidateQueries();
    say(
      source
        ? `${displayName} is changed.`
        : `${displayName} is added; a collector of its zone begins to poll it.`,
    );
    navigate(`/sources/${done.source?.sourceId}`);
  };
  const test = () =>
    settings &&
    start({
      case: "draft",
      value: { zoneId, settings, timeout: typedSeconds(timeout), ...(secrets && { secrets }) },
    });
  const error = create.error ?? update.error;

  return (
    <form className="form-page" onSubmit={(event) => void save(event).catch(() => {})}>
      <div className="page">
        {!source && (
          <fieldset className="kinds plain-set">
            <legend className="unseen">Kind</legend>
            {KIND_NAMES.map((kind) => (
              <label key={kind} className="kind" data-chosen={kind === draft.kind || undefined}>
                <input
                  type="radio"
                  name="kind"
                  className="unseen"
                  checked={kind === draft.kind}
                  onChange={() => {
                    setDraft({ kind, settings: STARTS[kind] ?? {} });
                    setSecrets(undefined);
                  }}
                />
                <span className="strong">{KINDS[kind].title}</span>
                <span className="soft">{KINDS[kind].about}</span>
              </label>
            ))}
          </fieldset>
        )}
        <div className="card padded form">
          <div className="form-row">
            <TextField
              label="Name"
              required
              maxLength={128}
              autoComplete="off"
              value={displayName}
              onChange={({ target }) => setDisplayName(target.value)}
            />
            <SelectField
              label="Zone"
              hint="The network that it is read from"
              value={zoneId}
              options={zones.map((each) => ({ value: each.zoneId, label: each.displayName }))}
              onChange={setZone}
            />
          </div>
          <div className="section-head">
            <h2>{KINDS[draft.kind].title}</h2>
            <Segments<"form" | "json">
              label="How the settings are shown"
              value={view}
              options={[
                { value: "form", label: "Form" },
                { value: "json", label: "JSON" },
              ]}
              onChange={setView}
            />
          </div>
          {view === "form" ? (
            <SettingsFields
              key={draft.kind}
              fields={FIELDS[draft.kind]}
              settings={draft.settings}
              onChange={(next) => setDraft({ ...draft, settings: next })}
            />
          ) : (
            <JsonSettings draft={draft} onChange={setDraft} />
          )}
          {view === "form" && mistake && <p className="bad foreign">{mistake}</p>}
        </div>
        <SecretsForm
          key={`${draft.kind} secrets`}
          kind={draft.kind}
          kept={source?.secrets}
          secrets={secrets}
          onChange={setSecrets}
        />
        <div className="card padded form">
          <h2>When, and with which labels</h2>
          <div className="form-row">
            <TextField
              label="Every, in seconds"
              hint="From 5 to 86,400"
              type="number"
              min={5}
              max={86_400}
              required
              value={interval}
              onChange={({ target }) => setInterval(target.value)}
            />
            <TextField
              label="Time to answer, in seconds"
              hint="A poll that takes longer has failed"
              type="number"
              min={0.1}
              max={60}
              step={0.1}
              required
              value={timeout}
              onChange={({ target }) => setTimeout(target.value)}
            />
          </div>
          <PairsField
            label="Labels"
            hint="Set on every series, over whatever the source says itself"
            name="Label"
            value="Value"
            pairs={labels}
            onChange={setLabels}
          />
          {!source && (
            <CheckField label="Leave it paused for now" checked={paused} onChange={setPaused} />
          )}
        </div>
        {error && <Failure error={error} />}
        <div className="form-end">
          <Button onClick={() => navigate(source ? `/sources/${source.sourceId}` : "/sources")}>
            Cancel
          </Button>
          <Button
            type="submit"
            kind="main"
            busy={create.isPending || update.isPending}
            disabled={!isReady}
          >
            {source ? "Save" : "Add"}
          </Button>
        </div>
      </div>
      <aside className="form-aside">
        <Section
          title="Test"
          actions={
            <Button
              icon="play"
              busy={run?.isRunning ?? false}
              disabled={!settings}
              onClick={() => void test()}
            >
              Test it from the zone
            </Button>
          }
        >
          {source?.secrets && secrets === undefined && (
            <Notice>
              What is typed here is tested without the secrets that are kept. Save it and test it on
              its page to try it with them.
            </Notice>
          )}
          {run ? (
            <TestRun run={run} onStop={stop} />
          ) : (
            <p className="soft">
              A collector of the zone reads it once, now, and you see every step and all that it
              found. Nothing is stored.
            </p>
          )}
        </Section>
      </aside>
    </form>
  );
}
