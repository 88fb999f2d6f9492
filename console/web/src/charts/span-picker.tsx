import { useState } from "react";
import type { Span } from "../client/range.ts";
import { Button, Segments } from "../ui/button.tsx";

const HOUR_MS = 3_600_000;
const SPANS = [
  { value: "1", label: "1 h" },
  { value: "6", label: "6 h" },
  { value: "24", label: "24 h" },
  { value: "168", label: "7 d" },
] as const;
type Hours = (typeof SPANS)[number]["value"];

/** The span that charts show: the last so many hours, or what was dragged over. */
export function useSpan() {
  const [hours, setHours] = useState<Hours>("1");
  const [zoomed, setZoomed] = useState<{ from: number; to: number }>();
  const span: Span = zoomed ?? { lastMs: Number(hours) * HOUR_MS };
  return {
    span,
    hours,
    isZoomed: zoomed !== undefined,
    choose: (next: Hours) => {
      setZoomed(undefined);
      setHours(next);
    },
    zoom: (from: number, to: number) => setZoomed({ from, to }),
    zoomOut: () => setZoomed(undefined),
  };
}

export function SpanPicker({ picked }: { picked: ReturnType<typeof useSpan> }) {
  return (
    <>
      {picked.isZoomed && (
        <Button size="small" onClick={picked.zoomOut}>
          Zoom out
        </Button>
      )}
      <Segments<Hours>
        label="Time shown"
        value={picked.hours}
        options={SPANS}
        onChange={picked.choose}
      />
    </>
  );
}
