import { MetricMetadata_Kind as Kind } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";

interface Family {
  type?: string;
  help?: string;
  unit?: string;
}

interface Meaning {
  kind: Kind;
  unit: string;
  description: string;
}

const SUFFIX = /_(total|bucket|sum|count|created|info|gsum|gcount)$/;

/** The words of OpenMetrics for units, as UCUM has them. */
const UNITS: Record<string, string> = {
  seconds: "s",
  milliseconds: "ms",
  bytes: "By",
  bits: "bit",
  celsius: "Cel",
  meters: "m",
  volts: "V",
  amperes: "A",
  joules: "J",
  grams: "g",
  hertz: "Hz",
  watts: "W",
  ratio: "1",
  percent: "%",
};

const MOST_DESCRIPTION = 1_024;

/** What the comments of an exposition say of its metric families. */
export class Families {
  #families = new Map<string, Family>();

  note(what: "type" | "help" | "unit", name: string, text: string): void {
    let family = this.#families.get(name);
    if (!family) {
      family = {};
      this.#families.set(name, family);
    }
    family[what] ??= text;
  }

  /** What the series of a name mean: those of one family differ. */
  meaningOf(name: string): Meaning {
    const stem = name.replace(SUFFIX, "");
    const family = this.#families.get(name) ?? this.#families.get(stem) ?? {};
    const suffix = name.slice((this.#families.has(name) ? name : stem).length);
    const isCount = suffix === "_count" || suffix === "_bucket" || name.endsWith("_count");
    return {
      kind: kindOf(family.type, suffix),
      unit: isCount ? "1" : unitOf(family.unit, stem),
      description: (family.help ?? "").slice(0, MOST_DESCRIPTION),
    };
  }
}

function kindOf(type: string | undefined, suffix: string): Kind {
  if (suffix === "_created") return Kind.GAUGE;
  if (type === "counter") return Kind.COUNTER;
  if (type === "histogram" || type === "summary") return suffix === "" ? Kind.GAUGE : Kind.COUNTER;
  return Kind.GAUGE;
}

/** Told, or else what the name ends with, by the convention that both formats share. */
function unitOf(told: string | undefined, stem: string): string {
  const word = told || stem.slice(stem.lastIndexOf("_") + 1);
  return UNITS[word] ?? (told || "").slice(0, 63);
}
