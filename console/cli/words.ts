import type { DescEnum } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError } from "commander";
import { ageText, spanText } from "../../lib/age.ts";
import { duration } from "../../lib/settings.ts";

/** A value of an enum as people write it: "duplicate_suspected"; "" for the unspecified one. */
export function enumWord(desc: DescEnum, number: number): string {
  if (number === 0) return "";
  return desc.value[number]?.localName.toLowerCase() ?? `#${number}`;
}

/** All words of an enum but the unspecified one. */
export const enumWords = (desc: DescEnum) =>
  desc.values.filter(({ number }) => number !== 0).map(({ localName }) => localName.toLowerCase());

/** Reads such a word, for commander. */
export function readEnum<T extends number>(desc: DescEnum): (word: string) => T {
  return (word) => {
    const wanted = word.toLowerCase().replaceAll("-", "_");
    const found = desc.values.find(({ localName }) => localName.toLowerCase() === wanted);
    if (!found || found.number === 0) {
      throw new InvalidArgumentError(`Choose from ${enumWords(desc).join(", ")}.`);
    }
    return found.number as T;
  };
}

/** Reads such words, several at once with commas between, and adds them to those before. */
export function readEnums<T extends number>(desc: DescEnum): (words: string, before?: T[]) => T[] {
  const read = readEnum<T>(desc);
  return (words, before = []) => [...before, ...words.split(",").map(read)];
}

/** Reads "90d" or "1h" into milliseconds, for commander. */
export function readSpan(text: string): number {
  try {
    return duration()(text);
  } catch (error) {
    throw new InvalidArgumentError(`It ${(error as Error).message}`);
  }
}

/** Reads "on" or "off", for commander. */
export function readSwitch(word: string): boolean {
  if (word !== "on" && word !== "off") throw new InvalidArgumentError("Write on or off.");
  return word === "on";
}

/** Reads a whole number from `least` on, for commander. */
export function readCount(least: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,15}$/.test(text) || Number(text) < least) {
      throw new InvalidArgumentError(`Write a whole number, ${least} or more.`);
    }
    return Number(text);
  };
}

/** "12 minutes ago"; "" when it never was. */
export const ageOf = (time: Timestamp | undefined, now: number) =>
  time ? ageText(now - timestampMs(time)) : "";

const two = (number: number) => String(number).padStart(2, "0");

/** Local time to the second: "2026-01-05 14:47:12". */
export function clockText(ms: number): string {
  const date = new Date(ms);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A moment with its age: "2026-01-05 14:47:12 (12 minutes ago)"; undefined when it never was. */
export const momentText = (time: Timestamp | undefined, now: number) =>
  time && `${clockText(timestampMs(time))} (${ageOf(time, now)})`;

/** A deadline: "at 2026-01-05 14:47:12, in 59 minutes". */
export function deadlineText(time: Timestamp | undefined, now: number): string {
  if (!time) return "never";
  const left = timestampMs(time) - now;
  const when = left > 0 ? `in ${spanText(left)}` : `${spanText(left)} ago`;
  return `at ${clockText(timestampMs(time))}, ${when}`;
}

/** 12345n as "12,345". */
export const countText = (count: bigint | number) => count.toLocaleString("en-US");

/** "1 point", "12,345 points". */
export const counted = (count: bigint | number, noun: string) =>
  `${countText(count)} ${noun}${BigInt(count) === 1n ? "" : "s"}`;
