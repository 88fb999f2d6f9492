/** A finite number, a truth value (1 or 0) or a text that is a number; undefined for all else. */
export function readNumber(value: unknown): number | undefined {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string" && !/^\s*[-+]?(\d|\.\d)/.test(value)) return undefined;
  if (typeof value !== "number" && typeof value !== "string" && typeof value !== "bigint") {
    return undefined;
  }
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}
