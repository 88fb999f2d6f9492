import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { useEffect, useRef, useState } from "react";
import type { Reading } from "../../../../gen/lumetry/source/v1/reading_pb.js";
import {
  SourceService,
  type TestSourceRequestSchema,
  type TestSourceResponse,
} from "../../../../gen/lumetry/v1/source_service_pb.js";
import { transport } from "../client/transport.ts";
import { Button } from "../ui/button.tsx";
import { Failure } from "../ui/notice.tsx";
import { counted } from "../words/counts.ts";
import { msText } from "../words/sources.ts";
import { ReadingView } from "./reading.tsx";

const client = createClient(SourceService, transport);

export type TestTarget = NonNullable<MessageInitShape<typeof TestSourceRequestSchema>["target"]>;

interface Step {
  elapsedMs: number;
  text: string;
}

function stepOf({ event, elapsed }: TestSourceResponse): Step | undefined {
  const elapsedMs = elapsed ? durationMs(elapsed) : 0;
  switch (event.case) {
    case "queued":
      return {
        elapsedMs,
        text: `waiting for one of ${counted(event.value.collectors, "collector")}`,
      };
    case "started":
      return { elapsedMs, text: `begun by ${event.value.displayName}` };
    case "progress":
      return { elapsedMs, text: event.value.message || event.value.phase };
    default:
      return undefined;
  }
}

interface Run {
  steps: Step[];
  result?: Reading;
  error?: unknown;
  isRunning: boolean;
}

/** A test as it happens. Leaving the page, or stopping it, ends the test where it runs. */
export function useTestRun() {
  const [run, setRun] = useState<Run>();
  const controller = useRef<AbortController>(undefined);
  useEffect(() => () => controller.current?.abort(), []);

  const start = async (target: TestTarget) => {
    controller.current?.abort();
    const own = new AbortController();
    controller.current = own;
    const set = (change: (before: Run) => Run) => {
      if (controller.current === own) setRun((before) => before && change(before));
    };
    setRun({ steps: [], isRunning: true });
    try {
      const responses = client.testSource(
        { target },
        // It takes as long as it takes: the source's own time ends it.
        { signal: own.signal, timeoutMs: 0 },
      );
      for await (const response of responses) {
        const step = stepOf(response);
        if (step) set((before) => ({ ...before, steps: [...before.steps, step] }));
        const { event } = response;
        if (event.case === "result") set((before) => ({ ...before, result: event.value }));
      }
      set((before) => ({ ...before, isRunning: false }));
    } catch (error) {
      set((before) => ({
        ...before,
        isRunning: false,
        ...(own.signal.aborted ? {} : { error }),
      }));
    }
  };
  return { run, start, stop: () => controller.current?.abort() };
}

export function TestRun({ run, onStop }: { run: Run | undefined; onStop: () => void }) {
  if (!run) return null;
  const { steps, result, error, isRunning } = run;
  return (
    <div className="section">
      <ol className="steps" aria-live="polite" aria-label="What happens">
        {steps.map(({ elapsedMs, text }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: steps are only added
          <li key={index}>
            <span className="soft">{msText(elapsedMs)}</span>
            <span className="foreign">{text}</span>
          </li>
        ))}
        {isRunning && (
          <li>
            <span />
            <span className="soft">…</span>
          </li>
        )}
      </ol>
      {isRunning && (
        <div>
          <Button size="small" onClick={onStop}>
            Stop
          </Button>
        </div>
      )}
      {!isRunning && !result && !error && <p className="soft">It was stopped.</p>}
      {error ? <Failure error={error} /> : null}
      {result && <ReadingView reading={result} />}
    </div>
  );
}
