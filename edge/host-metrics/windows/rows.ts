/** One object of a CIM query, as ConvertTo-Json wrote it. */
export type CimRow = Record<string, unknown>;

/** A section of query.ps1's answer: its rows, or why there are none. */
export type Section = { rows: CimRow[] } | { error: string };

const isRow = (value: unknown): value is CimRow =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads a section, whatever it is. Windows PowerShell writes a list of one as the one, and some lists
 * as { value, Count }. Undefined for a section that is not there.
 */
export function readSection(answer: unknown, name: string): Section | undefined {
  const section = isRow(answer) ? answer[name] : undefined;
  if (section === undefined || section === null) return undefined;
  if (!isRow(section)) return { error: "its answer is not an object" };
  if (typeof section.error === "string") return { error: section.error };
  const { rows } = section;
  const list = isRow(rows) && Array.isArray(rows.value) ? rows.value : rows;
  return { rows: (Array.isArray(list) ? list : [list]).filter(isRow) };
}

/** A count or a size: finite and not negative; undefined for anything else. */
export function countIn(row: CimRow, key: string): number | undefined {
  const value = row[key];
  const number = typeof value === "string" && /^[0-9]{1,20}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) && number >= 0 ? number : undefined;
}

/** A name: not empty, and not the sum of all others that performance counters add. */
export function nameIn(row: CimRow, key = "Name"): string | undefined {
  const value = row[key];
  return typeof value === "string" && value !== "" && value !== "_Total" ? value : undefined;
}
