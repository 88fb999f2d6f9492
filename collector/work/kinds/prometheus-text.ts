/** One sample as the endpoint wrote it. */
export interface TextSample {
  name: string;
  labels: Record<string, string>;
  value: number;
  /** Unix milliseconds, if the endpoint gave a time. */
  time: number | undefined;
}

export interface TextHandler {
  sample(sample: TextSample): void;
  /** A "# TYPE", "# HELP" or "# UNIT" line. */
  told(what: "type" | "help" | "unit", family: string, text: string): void;
}

/** A line that is neither; the message names it. */
export class Unreadable extends Error {
  override name = "Unreadable";
}

/** The last millisecond of the year 9999. */
const LAST_TIME = 253_402_300_799_999;

const NEWLINE = 10;
const TAB = 9;
const SPACE = 32;
const QUOTE = 34;
const HASH = 35;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;
const BRACE = 123;
const BRACE_END = 125;

const isSpace = (code: number) => code === SPACE || code === TAB;

/** Letters, digits, "_", ":" and, beyond what Prometheus has, ".". */
function isNamePart(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 46 && code <= 58 && code !== 47) ||
    code === 95
  );
}

/**
 * Reads the text format of Prometheus (0.0.4, with the quoted names of later versions) and OpenMetrics,
 * in one pass. Exemplars are left out. Throws Unreadable at the first line that is not of it, and for
 * OpenMetrics without its end mark, which was cut short.
 */
export function readPrometheusText(
  text: string,
  isOpenMetrics: boolean,
  handler: TextHandler,
): void {
  new Reader(text, isOpenMetrics, handler).read();
}

class Reader {
  readonly #text: string;
  readonly #isOpenMetrics: boolean;
  readonly #handler: TextHandler;
  #at = 0;
  #line = 1;

  constructor(text: string, isOpenMetrics: boolean, handler: TextHandler) {
    this.#text = text;
    this.#isOpenMetrics = isOpenMetrics;
    this.#handler = handler;
  }

  read(): void {
    const text = this.#text;
    let hasEnded = false;
    while (this.#at < text.length) {
      const end = this.#lineEnd();
      this.#skipSpaces();
      const code = text.charCodeAt(this.#at);
      if (this.#at < end && code !== 13) {
        if (hasEnded) this.#fail("follows the end mark");
        if (code === HASH) hasEnded = this.#readComment(end);
        else this.#readSample(end);
      }
      this.#at = end + 1;
      this.#line += 1;
    }
    if (this.#isOpenMetrics && !hasEnded) {
      throw new Unreadable('the answer was cut short: it does not end with "# EOF"');
    }
  }

  #fail(why: string): never {
    const start = this.#text.lastIndexOf("\n", Math.max(0, this.#at - 1)) + 1;
    const shown = JSON.stringify(this.#text.slice(start, Math.min(this.#lineEnd(), start + 80)));
    throw new Unreadable(`line ${this.#line} ${why}: ${shown}`);
  }

  #lineEnd(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #skipSpaces(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }

  /** True at the end mark of OpenMetrics. */
  #readComment(end: number): boolean {
    const line = this.#text.slice(this.#at, end).trimEnd();
    if (line === "# EOF") return this.#isOpenMetrics;
    const match = /^#\s+(TYPE|HELP|UNIT)\s+("(?:[^"\\]|\\.)*"|\S+)(?:\s+(.*))?$/.exec(line);
    if (!match) return false;
    const [, what = "", name = "", rest = ""] = match;
    const family = name.startsWith('"') ? unquote(name.slice(1, -1)) : name;
    this.#handler.told(what.toLowerCase() as "type" | "help" | "unit", family, unquote(rest));
    return false;
  }

  #readSample(end: number): void {
    const labels: Record<string, string> = {};
    let name = this.#readName();
    this.#skipSpaces();
    if (this.#text.charCodeAt(this.#at) === BRACE) {
      this.#at += 1;
      const quoted = this.#readLabels(labels);
      if (quoted !== undefined && name === "") name = quoted;
    }
    if (name === "") this.#fail("has no metric name");
    const value = this.#readNumber(end);
    const time = this.#readTime(end);
    this.#handler.sample({ name, labels, value, time });
  }

  #readName(): string {
    const start = this.#at;
    while (isNamePart(this.#text.charCodeAt(this.#at))) this.#at += 1;
    return this.#text.slice(start, this.#at);
  }

  /** Up to the closing brace; gives the metric's name if it stands in there, quoted. */
  #readLabels(labels: Record<string, string>): string | undefined {
    const text = this.#text;
    let metric: string | undefined;
    for (;;) {
      this.#skipSpaces();
      const code = text.charCodeAt(this.#at);
      if (code === BRACE_END) {
        this.#at += 1;
        return metric;
      }
      const isQuoted = code === QUOTE;
      const name = isQuoted ? this.#readQuoted() : this.#readName();
      this.#skipSpaces();
      if (text.charCodeAt(this.#at) === EQUALS) {
        if (name === "") this.#fail("has a label without a name");
        this.#at += 1;
        this.#skipSpaces();
        if (text.charCodeAt(this.#at) !== QUOTE) this.#fail("has a label without a quoted value");
        labels[name] = this.#readQuoted();
      } else if (isQuoted && metric === undefined) metric = name;
      else this.#fail("has a label without a value");
      this.#skipSpaces();
      const next = text.charCodeAt(this.#at);
      if (next === COMMA) this.#at += 1;
      else if (next !== BRACE_END) this.#fail("has labels that do not end");
    }
  }

  #readQuoted(): string {
    const text = this.#text;
    const start = ++this.#at;
    let hasEscapes = false;
    for (; ; this.#at += 1) {
      const code = text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        hasEscapes = true;
        this.#at += 1;
      } else if (code === NEWLINE || Number.isNaN(code))
        this.#fail("has a quote that does not end");
    }
    const raw = text.slice(start, this.#at);
    this.#at += 1;
    return hasEscapes ? unquote(raw) : raw;
  }

  /** The next word of the line; empty at its end, or before an exemplar. */
  #readWord(end: number): string {
    this.#skipSpaces();
    const start = this.#at;
    while (this.#at < end) {
      const code = this.#text.charCodeAt(this.#at);
      if (isSpace(code) || code === 13) break;
      this.#at += 1;
    }
    return this.#text.slice(start, this.#at);
  }

  #readNumber(end: number): number {
    const word = this.#readWord(end);
    if (word === "") this.#fail("has no value");
    const number = Number(word);
    if (!Number.isNaN(number)) return number;
    const special = SPECIAL[word.toLowerCase()];
    if (special === undefined) this.#fail("has a value that is no number");
    return special;
  }

  #readTime(end: number): number | undefined {
    const word = this.#readWord(end);
    if (word === "" || word.startsWith("#")) return undefined;
    const number = Number(word);
    const ms = Math.round(this.#isOpenMetrics ? number * 1000 : number);
    if (!(Math.abs(ms) <= LAST_TIME)) this.#fail("has a time that is none");
    const rest = this.#readWord(end);
    if (rest !== "" && !rest.startsWith("#")) this.#fail("goes on after its time");
    return ms;
  }
}

const SPECIAL: Record<string, number> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  "+inf": Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
};

const unquote = (text: string) =>
  text.includes("\\")
    ? text.replace(/\\(.)/g, (whole, code: string) =>
        code === "n" ? "\n" : code === "\\" || code === '"' ? code : whole,
      )
    : text;
