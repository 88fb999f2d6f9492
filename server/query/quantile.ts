/** The value at a part from 0 to 1 of at least one value, between two of them in proportion. Sorts them. */
export function quantileOf(values: number[], part: number): number {
  values.sort((a, b) => a - b);
  const place = part * (values.length - 1);
  const below = values[Math.floor(place)] as number;
  const above = values[Math.ceil(place)] as number;
  const share = place - Math.floor(place);
  return below * (1 - share) + above * share;
}
