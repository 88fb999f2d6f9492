import { Severity, SeveritySchema } from "../../../../gen/lumetry/v1/severity_pb.js";
import { Tag, type Tone } from "../ui/notice.tsx";
import { enumWord } from "../words/counts.ts";

const TONES: Partial<Record<Severity, Tone>> = {
  [Severity.CRITICAL]: "bad",
  [Severity.WARNING]: "warn",
};

/** How much something matters. What is over is told without alarm. */
export function SeverityTag({
  severity,
  isOver = false,
}: {
  severity: Severity;
  isOver?: boolean;
}) {
  return (
    <Tag tone={isOver ? "plain" : (TONES[severity] ?? "plain")}>
      {enumWord(SeveritySchema, severity)}
    </Tag>
  );
}

export const SEVERITIES = [Severity.CRITICAL, Severity.WARNING, Severity.INFO];

/** The severities to choose from, with one for all. */
export const SEVERITY_OPTIONS = SEVERITIES.map((value) => ({
  value,
  label: enumWord(SeveritySchema, value),
}));
