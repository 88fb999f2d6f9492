/** Values over time: times in ms since 1970, ascending, growing as they are added. */
export interface Columns {
  readonly count: number;
  add(ms: number, value: number): void;
  timeAt(index: number): number;
  valueAt(index: number): number;
}

/** With room for as many values at first. */
export function makeColumns(room = 16): Columns {
  let times = new Float64Array(room);
  let values = new Float64Array(room);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(ms, value) {
      if (count === times.length) {
        times = grown(times);
        values = grown(values);
      }
      times[count] = ms;
      values[count] = value;
      count += 1;
    },
    timeAt: (index) => times[index] as number,
    valueAt: (index) => values[index] as number,
  };
}

function grown(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(16, array.length * 2));
  larger.set(array);
  return larger;
}
