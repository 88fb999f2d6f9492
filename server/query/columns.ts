/** Values over time: times in ms since 1970, ascending, growing as they are added. */
export interface Columns {
  readonly count: number;
  add(ms: number, value: number): void;
  timeAt(index: number): number;
  valueAt(index: number): number;
}

export function makeColumns(): Columns {
  let times = new Float64Array(16);
  let values = new Float64Array(16);
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
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
}
