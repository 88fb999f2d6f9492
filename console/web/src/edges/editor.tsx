import { callUnaryMethod, useMutation, useTransport } from "@connectrpc/connect-query";
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { ConfigurationService } from "../../../../gen/lumetry/v1/configuration_service_pb.js";
import { explain } from "../client/errors.ts";
import { queryClient } from "../client/live.ts";
import { Button } from "../ui/button.tsx";
import { Failure, Notice } from "../ui/notice.tsx";
import { Section } from "../ui/page.tsx";
import { useSettled } from "../ui/settled.tsx";
import { say } from "../ui/toast.tsx";
import { Diff } from "./diff.tsx";

const EXAMPLE = '{\n  "hostMetrics": {\n    "enabled": true,\n    "intervalSeconds": 60\n  }\n}\n';

/** What somebody has typed and not published; it outlives leaving the page, for as long as it is open. */
const drafts = new Map<string, string>();

/** A document to change: checked by the server as it is typed, shown as what it changes, and published. */
export function Editor(props: { targetId: string; revision: bigint; published: string }) {
  const { targetId, revision, published } = props;
  const [draft, setDraft] = useState(drafts.get(targetId) ?? published);
  const id = useId();
  const transport = useTransport();
  const settled = useSettled(draft, 250);
  const isChanged = draft.trim() !== published.trim();

  const change = (text: string) => {
    if (text.trim() === published.trim()) drafts.delete(targetId);
    else drafts.set(targetId, text);
    setDraft(text);
  };
  const check = useQuery({
    queryKey: ["check", targetId, settled],
    queryFn: ({ signal }) =>
      callUnaryMethod(
        transport,
        ConfigurationService.method.publishConfiguration,
        { targetId, document: settled, validateOnly: true },
        { signal },
      ),
    enabled: settled.trim() !== published.trim(),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const publish = useMutation(ConfigurationService.method.publishConfiguration, {
    onSuccess: ({ config }) => {
      drafts.delete(targetId);
      say(
        `Revision ${config?.revision} is published; it is fetched with the next heartbeat.`,
        revision > 0n
          ? {
              label: "Undo",
              run: () =>
                callUnaryMethod(transport, ConfigurationService.method.revertConfiguration, {
                  targetId,
                  revision,
                }).then(() => queryClient.invalidateQueries()),
            }
          : undefined,
      );
      queryClient.invalidateQueries();
    },
  });
  const isChecked = settled === draft && !check.isFetching;
  const mistake = isChanged && check.error ? explain(check.error).message : undefined;
  const unknown = check.data?.unknownKeys ?? [];

  return (
    <Section
      title="Document"
      actions={
        <>
          {published.trim() === "{}" && !isChanged && (
            <Button size="small" onClick={() => change(EXAMPLE)}>
              Start from an example
            </Button>
          )}
          {isChanged && (
            <Button size="small" onClick={() => change(published)}>
              Discard
            </Button>
          )}
          <Button
            size="small"
            kind="main"
            disabled={!isChanged || !isChecked || mistake !== undefined}
            busy={publish.isPending}
            onClick={() =>
              publish.mutate({ targetId, document: draft, expectedRevision: revision })
            }
          >
            Publish
          </Button>
        </>
      }
    >
      <div className="halves">
        <div className="field">
          <label className="unseen" htmlFor={id}>
            Configuration, a JSON document
          </label>
          <textarea
            id={id}
            className="text-area"
            rows={14}
            spellCheck={false}
            maxLength={65_536}
            value={draft}
            aria-invalid={mistake ? true : undefined}
            aria-describedby={`${id}-check`}
            onChange={(event) => change(event.target.value)}
          />
          <span id={`${id}-check`} className={mistake ? "mistake" : "hint"} aria-live="polite">
            {mistake ??
              (isChanged && !isChecked
                ? "Checking…"
                : isChanged
                  ? "It will be accepted."
                  : "This is what is published. Properties that are left out have their defaults.")}
          </span>
        </div>
        <div className="section">
          {isChanged ? (
            <Diff before={published} after={draft} />
          ) : (
            <p className="soft">What you change is shown here before it is published.</p>
          )}
          {isChanged && unknown.length > 0 && (
            <Notice tone="warn">
              Today's programs do not know, and ignore:{" "}
              <code className="foreign">{unknown.join(", ")}</code>
            </Notice>
          )}
          {publish.error && <Failure error={publish.error} />}
        </div>
      </div>
    </Section>
  );
}
