/**
 * How the values of one series are turned into small whole numbers: as decimals of one scale, if that is
 * exact for each of them, and then as they are, as differences, or as differences of differences.
 */
export interface Scaled {
  /** A value is its whole number divided by ten to the power of this. */
  digits: number;
  whole: Float64Array;
}

const MOST_DIGITS = 15;
/** Differences of differences of such numbers are still exact. */
const MOST_WHOLE = 2 ** 50;
const POWERS = Float64Array.from({ length: MOST_DIGITS + 1 }, (_, digits) => 10 ** digits);

/** Values as decimals; undefined when one of them is none of few enough digits. */
export function toDecimals(values: Float64Array): Scaled | undefined {
  const whole = new Float64Array(values.length);
  let digits = 0;
  let done = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    let scaled = Math.round(value * (POWERS[digits] as number));
    while (scaled / (POWERS[digits] as number) !== value) {
      digits += 1;
      if (digits > MOST_DIGITS) return undefined;
      scaled = Math.round(value * (POWERS[digits] as number));
    }
    if (Math.abs(scaled) > MOST_WHOLE || Object.is(value, -0)) return undefined;
    whole[index] = scaled;
    // Those before were scaled with fewer digits.
    if (digits > done) {
      const power = POWERS[digits] as number;
      for (let before = 0; before < index; before += 1) {
        const again = Math.round((values[before] as number) * power);
        if (again / power !== values[before] || Math.abs(again) > MOST_WHOLE) return undefined;
        whole[before] = again;
      }
      done = digits;
    }
  }
  return { digits, whole };
}

/** What toDecimals has made, in place. */
export function fromDecimals(whole: Float64Array, count: number, digits: number): void {
  if (digits === 0) return;
  const power = POWERS[digits];
  if (power === undefined) throw new RangeError(`${digits} digits are too many`);
  for (let index = 0; index < count; index += 1) whole[index] = (whole[index] as number) / power;
}

/** Bits that the numbers take, about: what the kinds of differences are compared by. */
function cost(numbers: Float64Array, from: number): number {
  let bits = 0;
  for (let index = from; index < numbers.length; index += 1) {
    const size = Math.abs(numbers[index] as number);
    bits += size < 0x8000_0000 ? 32 - Math.clz32(size) : 33 + Math.log2(size / 0x8000_0000);
  }
  return bits;
}

/** The numbers, each but the first `order` less what is expected from those before it. */
function differ(numbers: Float64Array, order: number): Float64Array {
  const out = Float64Array.from(numbers);
  for (let round = 0; round < order; round += 1) {
    for (let index = out.length - 1; index > round; index -= 1) {
      out[index] = (out[index] as number) - (out[index - 1] as number);
    }
  }
  return out;
}

/** The kind of differences, 0 to 2 times taken, that makes the numbers smallest, and these. */
export function smallest(numbers: Float64Array): { order: number; numbers: Float64Array } {
  let best = { order: 0, numbers };
  let least = cost(numbers, 1);
  for (const order of [1, 2]) {
    const candidate = differ(numbers, order);
    const bits = cost(candidate, 1);
    // On noise, differences of differences are larger and not worth a try.
    if (bits >= least) break;
    least = bits;
    best = { order, numbers: candidate };
  }
  return best;
}

/** Takes back what `smallest` has done, in place. */
export function sumUp(numbers: Float64Array, count: number, order: number): void {
  for (let round = order - 1; round >= 0; round -= 1) {
    for (let index = round + 1; index < count; index += 1) {
      numbers[index] = (numbers[index] as number) + (numbers[index - 1] as number);
    }
  }
}
