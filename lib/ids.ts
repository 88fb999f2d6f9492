import { randomInt } from "node:crypto";

/** Kinds of external id; the type prefix comes first, so that an id tells what it names. */
export type IdPrefix =
  | "wsp"
  | "usr"
  | "tok"
  | "key"
  | "zon"
  | "col"
  | "agt"
  | "crd"
  | "epr"
  | "sit"
  | "grp"
  | "cls"
  | "dep"
  | "src"
  | "wrk"
  | "chn"
  | "dlv"
  | "rul"
  | "alr"
  | "inc"
  | "sil"
  | "rou"
  | "ngr";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** A prefix, a dot and ten random lower-case letters: "col.qwhfzukmcd". */
export function makeId(prefix: IdPrefix): string {
  let id = `${prefix}.`;
  for (let index = 0; index < 10; index += 1) id += LETTERS[randomInt(LETTERS.length)];
  return id;
}
