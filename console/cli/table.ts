import type { Style, Terminal } from "./terminal.ts";
import { plain } from "./terminal.ts";
import { pad, shorten, textWidth } from "./width.ts";

export interface Column<Row> {
  title: string;
  value: (row: Row) => string;
  align?: "left" | "right";
  /** The colour of one cell. */
  style?: (row: Row) => Style | undefined;
  /** May be cut down to this many columns when the terminal is narrow; whole otherwise. */
  least?: number;
  /** Columns are left out when they do not fit: the highest number first; 0 is never. */
  rank?: number;
}

const GAP = 2;

/** Rows under bold titles, fitted to the terminal's width. */
export function table<Row>(rows: Row[], columns: Column<Row>[], terminal: Terminal): string {
  const cells = columns.map((column) => rows.map((row) => plain(column.value(row))));
  // A column in which no row has anything to say only takes room.
  const filled = columns.map((column, index) => ({ column, cells: cells[index] ?? [] }));
  const useful = filled.filter(
    ({ column, cells }) => !column.rank || cells.some((cell) => cell !== ""),
  );
  const fitted = fitColumns(useful, terminal.columns);
  const ellipsis = terminal.unicode ? "…" : ".";
  const line = (cell: (part: (typeof fitted.shown)[number]) => [string, Style | undefined]) =>
    fitted.shown
      .map((part, index) => {
        const [text, style] = cell(part);
        const padded =
          index === fitted.shown.length - 1 && part.column.align !== "right"
            ? shorten(text, part.width, ellipsis)
            : pad(shorten(text, part.width, ellipsis), part.width, part.column.align);
        return style ? terminal.paint(padded, style) : padded;
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  const lines = [
    line(({ column }) => [column.title, "bold"]),
    ...rows.map((row, index) =>
      line(({ column, cells }) => [cells[index] ?? "", column.style?.(row)]),
    ),
  ];
  if (fitted.hidden > 0) {
    const what = fitted.hidden === 1 ? "1 column does" : `${fitted.hidden} columns do`;
    lines.push(terminal.paint(`(${what} not fit; widen the terminal or use --json)`, "dim"));
  }
  return lines.join("\n");
}

interface Part<Row> {
  column: Column<Row>;
  cells: string[];
}

/** Cuts what may be cut, then leaves out what may be left out, until the rest fits. */
function fitColumns<Row>(parts: Part<Row>[], available: number) {
  let shown = parts.map((part) => ({
    ...part,
    width: Math.max(textWidth(part.column.title), ...part.cells.map(textWidth)),
  }));
  const total = () => shown.reduce((sum, { width }) => sum + width, GAP * (shown.length - 1));
  const least = ({ column, width }: (typeof shown)[number]) =>
    column.least === undefined ? width : Math.min(width, column.least);
  const tightest = () => shown.reduce((sum, part) => sum + least(part), GAP * (shown.length - 1));
  while (tightest() > available) {
    const rank = Math.max(...shown.map(({ column }) => column.rank ?? 0));
    if (rank === 0) break;
    shown = shown.filter(({ column }) => (column.rank ?? 0) !== rank);
  }
  while (total() > available) {
    // The widest gives way first, so that the others stay whole for as long as possible.
    const [widest] = shown
      .filter((part) => part.width > least(part))
      .sort((a, b) => b.width - a.width);
    if (!widest) break;
    widest.width -= 1;
  }
  return { shown, hidden: parts.length - shown.length };
}

/** Names and values below one another, names dim. Values that are undefined or empty are left out. */
export function facts(
  entries: [name: string, value: string | undefined][],
  terminal: Terminal,
): string {
  const present = entries.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(0, ...present.map(([name]) => textWidth(name)));
  return present
    .map(([name, value]) => `${terminal.paint(pad(name, width), "dim")}  ${value}`)
    .join("\n");
}
