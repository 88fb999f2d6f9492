import type { Accounts } from "./accounts.ts";

const number = new Intl.NumberFormat("en");

export function table(rows: [string, string | number][]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, value]) => {
      const text = typeof value === "number" ? number.format(value) : value;
      return `  ${name.padEnd(width)}  ${text}`;
    })
    .join("\n");
}

/** Prints what came of a run; false when something is wrong. */
export function tell({ problems, figures }: Accounts): boolean {
  console.log(table(Object.entries(figures)));
  for (const problem of problems) console.log(`  ✘ ${problem}`);
  if (problems.length === 0) console.log("  ✔ every point is accounted for");
  return problems.length === 0;
}
