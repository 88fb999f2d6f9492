import { readFileSync } from "node:fs";
import path from "node:path";

export const root = path.join(import.meta.dirname, "../..");

export const readDocument = (name: string): string => readFileSync(path.join(root, name), "utf8");

const begin = (name: string) => `<!-- ${name}:begin`;
const end = (name: string) => `<!-- ${name}:end -->`;

/** What stands between the markers of a part, without them; throws when they are not there once each. */
export function partOf(document: string, name: string): string {
  const [from, to] = boundsOf(document, name);
  return document.slice(from, to);
}

/** The document with another text between the markers of a part. */
export function withPart(document: string, name: string, text: string): string {
  const [from, to] = boundsOf(document, name);
  return `${document.slice(0, from)}${text}${document.slice(to)}`;
}

function boundsOf(document: string, name: string): [from: number, to: number] {
  const opening = document.indexOf(begin(name));
  const from = document.indexOf("-->\n", opening) + "-->\n".length;
  const to = document.indexOf(end(name), from);
  if (opening < 0 || to < 0 || document.indexOf(begin(name), from) >= 0) {
    throw new Error(
      `the document must have one part between ${begin(name)} … --> and ${end(name)}`,
    );
  }
  return [from, to];
}

export interface Fence {
  /** What stands behind the opening fence, such as "bash". */
  language: string;
  text: string;
  /** The paragraph before it, on one line. */
  before: string;
}

export function fencesOf(document: string): Fence[] {
  const pattern = /^```(\S*)\n(.*?)^```$/gms;
  let at = 0;
  return [...document.matchAll(pattern)].map((match) => {
    const [whole, language = "", text = ""] = match;
    const paragraphs = document
      .slice(at, match.index)
      .trim()
      .split(/\n\s*\n/);
    at = match.index + whole.length;
    return { language, text, before: (paragraphs.at(-1) ?? "").replaceAll("\n", " ") };
  });
}

/** The value of the first fence whose paragraph matches; throws when there is none. */
export function fenceAfter(document: string, paragraph: RegExp): Fence {
  const found = fencesOf(document).find(({ before }) => paragraph.test(before));
  if (!found) throw new Error(`no block of code follows a paragraph with ${paragraph}`);
  return found;
}
