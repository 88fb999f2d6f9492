import { useMutation } from "@connectrpc/connect-query";
import { useRef } from "react";
import { Link } from "wouter";
import { SeveritySchema } from "../../../../../gen/lumetry/v1/severity_pb.js";
import {
  SystemAlertService,
  type SystemAlertSettings,
  type WatchedKind,
} from "../../../../../gen/lumetry/v1/system_alert_service_pb.js";
import { SeverityTag } from "../../alerting/severity.tsx";
import { queryClient } from "../../client/live.ts";
import { Button } from "../../ui/button.tsx";
import { Tag } from "../../ui/notice.tsx";
import { Facts } from "../../ui/page.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";
import { enumWord } from "../../words/counts.ts";
import { kindName, lengthText, nowText, thresholdText } from "../../words/system-alerts.ts";
import { changeOf, draftOf, isSame } from "./draft.ts";

/** One kind: what it means, how it is watched, and what there is of it. */
export function KindCard(props: {
  watched: WatchedKind;
  settings: SystemAlertSettings;
  defaults: SystemAlertSettings;
  mayChange: boolean;
  onChange: () => void;
}) {
  const { watched, settings, defaults, mayChange, onChange } = props;
  const { kind, title, description } = watched;
  const changeButton = useRef<HTMLButtonElement>(null);
  /** What the reset that was asked for takes away: by its answer the page may have heard of it. */
  const undo = useRef<ReturnType<typeof changeOf>>(undefined);
  const update = useMutation(SystemAlertService.method.updateSystemAlertKind);
  const reset = useMutation(SystemAlertService.method.resetSystemAlertKind, {
    onSuccess: () => {
      const change = undo.current;
      say(`${title} is watched as Lumetry comes with it.`, {
        label: "Undo",
        run: async () => {
          if (change) await update.mutateAsync(change);
          queryClient.invalidateQueries();
        },
      });
      // The button that was pressed goes away.
      changeButton.current?.focus();
      queryClient.invalidateQueries();
    },
    onError: sayFailure,
  });
  const isChanged = !isSame(kind, draftOf(settings), draftOf(defaults));
  const isOpen = watched.firing + watched.suppressed + watched.pending > 0n;
  return (
    <li className="card padded watched" aria-label={title}>
      <div className="watched-head">
        <div className="page-title">
          <h2>{title}</h2>
          {settings.enabled ? <SeverityTag severity={settings.severity} /> : <Tag>off</Tag>}
          {isChanged && <Tag>changed</Tag>}
        </div>
        {mayChange && (
          <span className="actions">
            {isChanged && (
              <Button
                size="small"
                kind="quiet"
                busy={reset.isPending}
                aria-label={`Reset ${title}`}
                onClick={() => {
                  undo.current = changeOf(kind, draftOf(settings), draftOf(defaults));
                  reset.mutate({ kind });
                }}
              >
                Reset
              </Button>
            )}
            <Button
              ref={changeButton}
              size="small"
              aria-label={`Change ${title}`}
              onClick={onChange}
            >
              Change…
            </Button>
          </span>
        )}
      </div>
      <p className="soft">{description}</p>
      <Facts
        entries={[
          [
            "Now",
            isOpen ? (
              <Link key="now" href={`/alerts?kind=${kindName(kind)}`}>
                {nowText(watched)}
              </Link>
            ) : (
              <span key="now" className="soft">
                nothing
              </span>
            ),
          ],
          [
            "Severity",
            settings.severity !== defaults.severity &&
              besides(
                enumWord(SeveritySchema, settings.severity),
                enumWord(SeveritySchema, defaults.severity),
              ),
          ],
          [
            "From",
            thresholdText(settings) && besides(thresholdText(settings), thresholdText(defaults)),
          ],
          ["Hold-down", besides(lengthText(settings.holdDown), lengthText(defaults.holdDown))],
          ["Recovery", besides(lengthText(settings.recovery), lengthText(defaults.recovery))],
        ]}
      />
    </li>
  );
}

/** As the command line says it. */
const besides = (own: string, usual: string) => (own === usual ? own : `${own} (usually ${usual})`);
