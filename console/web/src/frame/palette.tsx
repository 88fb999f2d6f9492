import { Dialog } from "@base-ui/react/dialog";
import { useQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { type KeyboardEvent, useId, useState } from "react";
import { useLocation } from "wouter";
import { AgentService } from "../../../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../../../gen/lumetry/v1/collector_service_pb.js";
import { IncidentService } from "../../../../gen/lumetry/v1/incident_service_pb.js";
import { MetricQueryService } from "../../../../gen/lumetry/v1/metric_query_service_pb.js";
import { SourceService } from "../../../../gen/lumetry/v1/source_service_pb.js";
import { useSelf, useSignOut } from "../client/session.tsx";
import { PAGES } from "../pages.ts";
import { useSettled } from "../ui/settled.tsx";
import { chooseTheme } from "./theme.ts";

interface Entry {
  key: string;
  title: string;
  kind: string;
  run: () => void;
}

const MOST_EACH = 6;

/** Everything by its name: pages, collectors, agents, sources, incidents, metrics, and what can be done from anywhere. */
export function Palette({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog palette fades" aria-label="Go to">
          <Finder onClose={onClose} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function useEntries(text: string): Entry[] {
  const self = useSelf();
  const signOut = useSignOut();
  const [, navigate] = useLocation();
  const wanted = text.trim().toLowerCase();
  const search = useSettled(wanted);
  const ask = { enabled: search !== "", placeholderData: keepPreviousData };
  const collectors = useQuery(
    CollectorService.method.listCollectors,
    { search, pageSize: MOST_EACH },
    ask,
  );
  const agents = useQuery(AgentService.method.listAgents, { search, pageSize: MOST_EACH }, ask);
  const sources = useQuery(SourceService.method.listSources, { search, pageSize: MOST_EACH }, ask);
  const incidents = useQuery(
    IncidentService.method.listIncidents,
    { search, pageSize: MOST_EACH },
    ask,
  );
  const metrics = useQuery(
    MetricQueryService.method.listMetrics,
    { nameContains: search, pageSize: MOST_EACH },
    ask,
  );
  const fixed: (Entry & { words: string })[] = [
    ...PAGES.flatMap(({ path, nav }) =>
      nav && self.may(nav.role)
        ? [
            {
              key: path,
              title: nav.title,
              kind: "page",
              words: nav.words ?? "",
              run: () => navigate(path),
            },
          ]
        : [],
    ),
    ...(["light", "dark", "system"] as const).map((theme) => ({
      key: theme,
      title: `Theme: ${theme}`,
      kind: "action",
      words: "colour appearance",
      run: () => chooseTheme(theme),
    })),
    {
      key: "sign-out",
      title: "Sign out",
      kind: "action",
      words: "log out leave",
      run: () => signOut.mutate({}),
    },
  ];
  const matching = fixed.filter(({ title, words }) =>
    `${title} ${words}`.toLowerCase().includes(wanted),
  );
  if (wanted === "") return matching;
  return [
    ...matching,
    ...(collectors.data?.collectors ?? []).map(({ collectorId, displayName }) => ({
      key: collectorId,
      title: displayName,
      kind: "collector",
      run: () => navigate(`/collectors/${collectorId}`),
    })),
    ...(agents.data?.agents ?? []).map(({ agentId, displayName }) => ({
      key: agentId,
      title: displayName,
      kind: "agent",
      run: () => navigate(`/agents/${agentId}`),
    })),
    ...(sources.data?.sources ?? []).map(({ sourceId, displayName }) => ({
      key: sourceId,
      title: displayName,
      kind: "source",
      run: () => navigate(`/sources/${sourceId}`),
    })),
    ...(incidents.data?.incidents ?? []).map(({ incidentId, title }) => ({
      key: incidentId,
      title,
      kind: "incident",
      run: () => navigate(`/incidents/${incidentId}`),
    })),
    ...(metrics.data?.metrics ?? []).map(({ metric }) => ({
      key: `metric ${metric}`,
      title: metric,
      kind: "metric",
      run: () => navigate(`/explore?metric=${encodeURIComponent(metric)}`),
    })),
  ];
}

function Finder({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const id = useId();
  const entries = useEntries(text);
  const current = Math.min(at, Math.max(0, entries.length - 1));

  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    entry.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && entries.length > 0) {
      event.preventDefault();
      setAt((current + step + entries.length) % entries.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(entries[current]);
    }
  };

  return (
    <>
      <input
        className="input"
        role="combobox"
        aria-label="Go to a page, a collector, a source, a metric…"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={entries.length > 0 ? `${id}-${current}` : undefined}
        placeholder="Go to a page, a collector, a source, a metric…"
        autoComplete="off"
        spellCheck={false}
        maxLength={128}
        value={text}
        onKeyDown={onKeyDown}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
      />
      <div className="palette-list" id={`${id}-list`} role="listbox" aria-label="Results">
        {entries.map((entry, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
          <div
            key={entry.key}
            id={`${id}-${index}`}
            className="menu-item"
            role="option"
            tabIndex={-1}
            aria-selected={index === current}
            data-highlighted={index === current || undefined}
            ref={(element) => {
              if (index === current) element?.scrollIntoView({ block: "nearest" });
            }}
            onPointerMove={() => setAt(index)}
            onClick={() => run(entry)}
          >
            <span className="cut foreign">{entry.title}</span>
            <span className="soft">{entry.kind}</span>
          </div>
        ))}
      </div>
      {entries.length === 0 && <p className="empty soft">Nothing is called so.</p>}
      <div className="palette-end" aria-hidden="true">
        <span>↑↓ choose</span>
        <span>Enter open</span>
        <span>Esc close</span>
      </div>
    </>
  );
}
