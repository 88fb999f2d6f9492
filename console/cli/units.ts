/** How the numbers of one axis or one cell are written: divided by `factor`, followed by `suffix`. */
export interface Scale {
  factor: number;
  suffix: string;
}

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL = ["", "k", "M", "G", "T", "P", "E"];
const MICROSECOND = { factor: 1e-6, suffix: "µs" };
/** Each is used from so many of it on. */
const TIMES = [
  { factor: 86_400, suffix: "d", from: 2 },
  { factor: 3_600, suffix: "h", from: 2 },
  { factor: 60, suffix: "min", from: 2 },
  { factor: 1, suffix: "s", from: 1 },
  { factor: 1e-3, suffix: "ms", from: 1 },
];

/** Shares of a whole, from 0 to 1, are told in per cent. */
const isShare = (unit: string, metric: string) => unit === "1" && /utili[sz]ation$/.test(metric);

/** The scale in which a number of that size reads best. `unit` is a UCUM code; "/s" may follow. */
export function scaleOf(magnitude: number, unit: string, metric: string): Scale {
  const [, base = "", per = ""] = /^(.*?)(\/s)?$/.exec(unit) ?? [];
  const size = Math.abs(magnitude);
  if (isShare(base, metric) && per === "") return { factor: 0.01, suffix: "%" };
  if (base === "%") return { factor: 1, suffix: `%${per}` };
  if (base === "By") {
    const power = powerOf(size, 1024, BINARY.length);
    return { factor: 1024 ** power, suffix: ` ${BINARY[power]}${per}` };
  }
  if (base === "s" && per === "") {
    if (size === 0) return { factor: 1, suffix: " s" };
    const { factor, suffix } = TIMES.find((time) => size >= time.factor * time.from) ?? MICROSECOND;
    return { factor, suffix: ` ${suffix}` };
  }
  const power = size < 10_000 ? 0 : powerOf(size, 1000, DECIMAL.length);
  return { factor: 1000 ** power, suffix: power === 0 ? "" : ` ${DECIMAL[power]}` };
}

function powerOf(size: number, base: number, powers: number): number {
  let power = 0;
  for (let rest = size; rest >= base && power < powers - 1; rest /= base) power += 1;
  return power;
}

/** One value for people, with three digits that count: "1.25", "42%", "3.1 GiB", "12 ms". */
export function valueText(value: number, unit: string, metric: string): string {
  const { factor, suffix } = scaleOf(value, unit, metric);
  return `${threeDigits(value / factor)}${suffix}`;
}

/** Bytes as settings write them, in powers of ten: "500 MB". */
export function sizeText(bytes: number): string {
  const power = powerOf(bytes, 1000, DECIMAL.length);
  return `${threeDigits(bytes / 1000 ** power)} ${DECIMAL[power]}B`;
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return value.toFixed(0);
  if (size < 0.0001) return value.toExponential(2);
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

/** What is counted, where the numbers themselves do not say it: "threads" for "{thread}". */
export function unitName(unit: string): string {
  const [, thing = "", per = ""] = /^\{(.+)\}(\/s)?$/.exec(unit) ?? [];
  if (thing !== "") return `${thing}${thing.endsWith("s") ? "" : "s"}${per && " per second"}`;
  return /^(1|By|s|%|)(\/s)?$/.test(unit) ? (unit.endsWith("/s") ? "per second" : "") : unit;
}
