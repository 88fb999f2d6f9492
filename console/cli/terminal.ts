import { textWidth } from "./width.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan";

const CODES: Record<Style, [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
};

/** What is known about the place where output goes. */
export interface Terminal {
  /** Columns to fill; Infinity where nothing has to fit, such as in a file. */
  readonly columns: number;
  /** People watch: lines may be redrawn and questions asked. */
  readonly interactive: boolean;
  readonly colors: boolean;
  /** The characters of Unicode can be shown. */
  readonly unicode: boolean;
  paint(text: string, ...styles: Style[]): string;
}

interface Output {
  isTTY?: boolean;
  columns?: number;
  hasColors?(): boolean;
}

export function makeTerminal(
  output: Output,
  environment: Record<string, string | undefined>,
): Terminal {
  const interactive = output.isTTY === true;
  const colors = wantsColors(output, environment);
  return {
    columns: interactive ? Math.max(output.columns || 80, 20) : Number.POSITIVE_INFINITY,
    interactive,
    colors,
    unicode: showsUnicode(environment),
    paint(text, ...styles) {
      if (!colors || text === "") return text;
      const codes = styles.map((style) => CODES[style]);
      const on = codes.map(([code]) => `\x1b[${code}m`).join("");
      return `${on}${text}${codes.map(([, code]) => `\x1b[${code}m`).join("")}`;
    },
  };
}

function wantsColors(output: Output, environment: Record<string, string | undefined>): boolean {
  if (environment.NO_COLOR) return false;
  if (environment.FORCE_COLOR) return environment.FORCE_COLOR !== "0";
  return output.isTTY === true && environment.TERM !== "dumb" && output.hasColors?.() !== false;
}

/** Assumed unless the locale or the console says otherwise: many containers set no locale at all. */
function showsUnicode(environment: Record<string, string | undefined>): boolean {
  if (environment.TERM === "linux" || environment.TERM === "dumb") return false;
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG;
  return !locale || /utf-?8/i.test(locale);
}

// Control characters, and the marks that turn the direction of text: they could forge what is shown.
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Text from elsewhere in one line, with nothing left that a terminal would obey. */
export function plain(text: string): string {
  return text.replace(/[\t\n\r]+/g, " ").replace(UNSAFE, "\ufffd");
}

/** The same for text of several lines. */
export function plainLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/\t/g, "  ").replace(UNSAFE, "\ufffd"))
    .join("\n");
}

/** Breaks a paragraph at spaces; a word longer than `columns` stays whole. */
export function wrap(text: string, columns: number, indent = ""): string {
  if (!Number.isFinite(columns)) return indent + text;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && textWidth(indent + longer) > columns) {
      lines.push(indent + line);
      line = word;
    } else line = longer;
  }
  return [...lines, indent + line].join("\n");
}
