/** Half of a character that takes two places, at the end. */
const HALF = /[\uD800-\uDBFF]$/;

/** The start of a text, at most so many UTF-16 units long; never half a character. */
export const cutText = (text: string, most: number): string =>
  text.length <= most ? text : text.slice(0, most).replace(HALF, "");

/**
 * JSON that PostgreSQL takes as jsonb, of anything: that has neither halves of characters nor U+0000, which
 * become U+FFFD, nor infinite numbers, which it reads from text.
 */
export const jsonbOf = (value: unknown): string =>
  JSON.stringify(value, (_, one) => {
    if (typeof one === "string") return one.toWellFormed().replaceAll("\0", "\uFFFD");
    return typeof one === "number" && !Number.isFinite(one) ? String(one) : one;
  });
