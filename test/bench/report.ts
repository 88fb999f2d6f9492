import { readFile, writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import path from "node:path";

/** What one bench found, for the terminal and for docs/benchmarks.md alike. */
export interface Section {
  title: string;
  /** Sentences before the tables: what was done, with what beside it. */
  about: string[];
  tables: Table[];
  /** Sentences after them: what the figures mean. */
  notes: string[];
}

export interface Table {
  caption?: string;
  head: string[];
  rows: string[][];
}

export const round = (value: number) => Math.round(value).toLocaleString("en");
export const ratio = (value: number) => `${value.toFixed(2)} ×`;
export const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

export function machine(): string {
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpu?.model.trim()}, ${gib} GiB, Linux ${release()}, Node ${process.versions.node}`;
}

const isNumeric = (text: string) => /^[-–]$|^[\d,.]+( |$)/.test(text);

/** Columns of figures to the right, of words to the left. */
function columnsOf({ head, rows }: Table) {
  return head.map((title, column) => {
    const cells = rows.map((row) => row[column] ?? "");
    return {
      width: Math.max(title.length, ...cells.map((cell) => cell.length)),
      isRight: cells.every(isNumeric),
    };
  });
}

/** For a terminal. */
export function asText({ title, about, tables, notes }: Section): string {
  const lines = [title, "", ...about, ""];
  for (const table of tables) {
    const columns = columnsOf(table);
    if (table.caption) lines.push(table.caption);
    for (const row of [table.head, ...table.rows]) {
      const cells = row.map((cell, at) => {
        const { width = 0, isRight = false } = columns[at] ?? {};
        return isRight ? cell.padStart(width) : cell.padEnd(width);
      });
      lines.push(`  ${cells.join("  ").trimEnd()}`);
    }
    lines.push("");
  }
  return [...lines, ...notes].join("\n");
}

function asMarkdown({ title, about, tables, notes }: Section): string {
  const blocks = [`## ${title}`, about.join(" ")];
  for (const table of tables) {
    if (table.caption) blocks.push(`**${table.caption}**`);
    const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
    const rule = columnsOf(table).map(({ isRight }) => (isRight ? "---:" : "---"));
    blocks.push([line(table.head), line(rule), ...table.rows.map(line)].join("\n"));
  }
  if (notes.length > 0) blocks.push(notes.map((note) => `- ${note}`).join("\n"));
  return blocks.filter(Boolean).join("\n\n");
}

const FILE = path.join(import.meta.dirname, "../../docs/benchmarks.md");
const HEAD = `# Benchmarks

Each section is written by \`npm run bench NAME\`, and by nothing else. All figures are **in-house**: measured by the project itself, on one
machine, the load and the databases included. They move with the machine; what counts is the ratio of two figures of one run.
`;

/** Puts the section of a bench into docs/benchmarks.md, in place of the one before. */
export async function keep(bench: string, section: Section): Promise<string> {
  const [begin, end] = [`<!-- bench ${bench}: begin -->`, `<!-- bench ${bench}: end -->`];
  const date = new Date().toISOString().slice(0, 10);
  const origin = `*In-house, ${date}: ${machine()}.*`;
  const block = [begin, asMarkdown(section), origin, end].join("\n\n");
  const text = await readFile(FILE, "utf8").catch(() => HEAD);
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  const isThere = from >= 0 && to > from;
  await writeFile(
    FILE,
    isThere
      ? text.slice(0, from) + block + text.slice(to + end.length)
      : `${text.trimEnd()}\n\n${block}\n`,
  );
  return path.relative(process.cwd(), FILE);
}
