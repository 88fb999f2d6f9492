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

/**
 * Values as decimals; undefined when one of them is none of few enough digits. They are put into `into`,
 * which may be longer.
 */
export function toDecimals(
  values: Float64Array,
  into: Float64Array = new Float64Array(values.length),
): Scaled | undefined {
  const { length } = values;
  let digits = 0;
  let power = 1;
  for (let index = 0; index < length; index += 1) {
    const value = values[index] as number;
    let scaled = Math.round(value * power);
    if (scaled / power !== value) {
      do {
        digits += 1;
        if (digits > MOST_DIGITS) return undefined;
        power = POWERS[digits] as number;
        scaled = Math.round(value * power);
      } while (scaled / power !== value);
      // Those before were scaled with fewer digits.
      for (let before = 0; before < index; before += 1) {
        const again = Math.round((values[before] as number) * power);
        if (again / power !== values[before] || Math.abs(again) > MOST_WHOLE) return undefined;
        into[before] = again;
      }
    }
    if (Math.abs(scaled) > MOST_WHOLE || Object.is(value, -0)) return undefined;
    into[index] = scaled;
  }
  return { digits, whole: into };
}

/** What toDecimals has made, in place. */
export function fromDecimals(whole: Float64Array, count: number, digits: number): void {
  if (digits === 0) return;
  const power = POWERS[digits];
  if (power === undefined) throw new RangeError(`${digits} digits are too many`);
  for (let index = 0; index < count; index += 1) whole[index] = (whole[index] as number) / power;
}

/** Bits that a number takes, about: what the kinds of differences are compared by. */
function bitsOf(number: number): number {
  const size = Math.abs(number);
  return size < 0x8000_0000 ? 32 - Math.clz32(size) : 33 + Math.log2(size / 0x8000_0000);
}

/** The kind of differences, 0 to 2 times taken, that makes the first `count` numbers smallest. */
export function smallest(numbers: Float64Array, count: number): number {
  let [plain, once, twice] = [0, 0, 0];
  let before = numbers[0] as number;
  let step = 0;
  for (let index = 1; index < count; index += 1) {
    const number = numbers[index] as number;
    const difference = number - before;
    plain += bitsOf(number);
    once += bitsOf(difference);
    twice += bitsOf(difference - step);
    before = number;
    step = difference;
  }
  // On noise, differences of differences are larger.
  if (once >= plain) return 0;
  return twice < once ? 2 : 1;
}

/** Makes of each of the first `count` numbers but `order` what it has more than is expected from those before it. */
export function differ(numbers: Float64Array, count: number, order: number): void {
  for (let round = 0; round < order; round += 1) {
    let before = numbers[round] as number;
    for (let index = round + 1; index < count; index += 1) {
      const number = numbers[index] as number;
      numbers[index] = number - before;
      before = number;
    }
  }
}

/** Takes back what `differ` has done. */
export function sumUp(numbers: Float64Array, count: number, order: number): void {
  for (let round = order - 1; round >= 0; round -= 1) {
    for (let index = round + 1; index < count; index += 1) {
      numbers[index] = (numbers[index] as number) + (numbers[index - 1] as number);
    }
  }
}
