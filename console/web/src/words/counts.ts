import type { DescEnum } from "@bufbuild/protobuf";

/** Kept: to make one takes longer than to use it a hundred times. */
const grouped = new Intl.NumberFormat("en-US");

/** 12345n as "12,345". */
export const countText = (count: bigint | number) => grouped.format(count);

/** "1 point", "12,345 points". */
export const counted = (count: bigint | number, noun: string) =>
  `${countText(count)} ${noun}${BigInt(count) === 1n ? "" : "s"}`;

/** A value of an enum as people write it: "duplicate suspected"; "" for the unspecified one. */
export function enumWord(desc: DescEnum, number: number): string {
  if (number === 0) return "";
  return desc.value[number]?.localName.toLowerCase().replaceAll("_", " ") ?? `#${number}`;
}

/** All values of an enum but the unspecified one. */
export const enumValues = (desc: DescEnum): number[] =>
  desc.values.map(({ number }) => number).filter((number) => number !== 0);

/** With a capital letter and a full stop, as a person would write it. */
export function sentence(text: string): string {
  const clean = text.trim();
  if (clean === "") return "The call failed.";
  const first = /^[a-z]+\b/.test(clean) ? clean.charAt(0).toUpperCase() + clean.slice(1) : clean;
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
