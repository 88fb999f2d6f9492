/** Blocks keep small what is written when a point comes. */
export const BLOCK_MS = 300_000;
/** Of one block; what a series sends beyond is not looked at. */
export const MOST_IN_BLOCK = 6_000;

/** A time as the sender tells it, the same less what its clock was off, and what was measured. */
const POINT_NUMBERS = 3;

/** Some points of a series, in order of the sender's times, each once. */
export interface Block {
  startMs: number;
  count: number;
  numbers: Float64Array<ArrayBuffer>;
  /** The last time in it, by our clock. */
  latestMs: number;
}

/** The last points of one series: those that windows may still look at, and always the newest. */
export interface RecentPoints {
  /** The newest, in ms by our clock. */
  readonly latestMs: number;
  /** False when there is a point of that time already, or no room for it. */
  add(givenMs: number, ms: number, value: number): boolean;
  /** Nobody will look at what is as old, but at the newest points. */
  forgetUntil(ms: number): void;
  /** In order of time, those after one time and up to another. */
  between(afterMs: number, upToMs: number): { times: number[]; values: number[] };
  /** The first after a time; infinite when there is none. */
  nextAfter(ms: number): number;
  /** Blocks that were written to since they were last asked for, and starts of those that are gone. */
  takeChanges(): { written: Block[]; gone: number[] };
}

export function makeRecentPoints(kept: readonly Block[] = []): RecentPoints {
  const blocks = [...kept].sort((a, b) => a.startMs - b.startMs);
  const written = new Set<Block>();
  let gone: number[] = [];
  let latestMs = blocks.reduce((most, block) => Math.max(most, block.latestMs), -Infinity);

  const blockAt = (startMs: number): Block => {
    let place = blocks.length;
    while (place > 0 && (blocks[place - 1] as Block).startMs > startMs) place -= 1;
    const before = blocks[place - 1];
    if (before?.startMs === startMs) return before;
    const block = {
      startMs,
      count: 0,
      numbers: new Float64Array(POINT_NUMBERS * 8),
      latestMs: -Infinity,
    };
    blocks.splice(place, 0, block);
    return block;
  };

  return {
    get latestMs() {
      return latestMs;
    },

    add(givenMs, ms, value) {
      const block = blockAt(Math.floor(givenMs / BLOCK_MS) * BLOCK_MS);
      if (!insert(block, givenMs, ms, value)) return false;
      if (ms > latestMs) latestMs = ms;
      written.add(block);
      return true;
    },

    forgetUntil(ms) {
      while (blocks.length > 1 && (blocks[0] as Block).latestMs <= ms) {
        const [old] = blocks.splice(0, 1) as [Block];
        written.delete(old);
        gone.push(old.startMs);
      }
    },

    between(afterMs, upToMs) {
      const times: number[] = [];
      const values: number[] = [];
      let isSorted = true;
      for (const { count, numbers, latestMs } of blocks) {
        if (latestMs <= afterMs) continue;
        for (let at = 0; at < count * POINT_NUMBERS; at += POINT_NUMBERS) {
          const ms = numbers[at + 1] as number;
          if (ms <= afterMs || ms > upToMs) continue;
          if (times.length > 0 && ms < (times.at(-1) as number)) isSorted = false;
          times.push(ms);
          values.push(numbers[at + 2] as number);
        }
      }
      return isSorted ? { times, values } : sorted(times, values);
    },

    nextAfter(ms) {
      let next = Infinity;
      for (const { count, numbers, latestMs } of blocks) {
        if (latestMs <= ms) continue;
        for (let at = 1; at < count * POINT_NUMBERS; at += POINT_NUMBERS) {
          const time = numbers[at] as number;
          if (time > ms && time < next) next = time;
        }
      }
      return next;
    },

    takeChanges() {
      const changes = { written: [...written], gone };
      written.clear();
      gone = [];
      return changes;
    },
  };
}

/** Puts a point at its place; false when there is one of its time, or no room. */
function insert(block: Block, givenMs: number, ms: number, value: number): boolean {
  const { count, numbers } = block;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle * POINT_NUMBERS] as number) < givenMs) low = middle + 1;
    else high = middle;
  }
  if (low < count && numbers[low * POINT_NUMBERS] === givenMs) return false;
  if (count === MOST_IN_BLOCK) return false;
  let into = numbers;
  if (count * POINT_NUMBERS === numbers.length) {
    into = new Float64Array(numbers.length * 2);
    into.set(numbers);
    block.numbers = into;
  }
  into.copyWithin((low + 1) * POINT_NUMBERS, low * POINT_NUMBERS, count * POINT_NUMBERS);
  into.set([givenMs, ms, value], low * POINT_NUMBERS);
  block.count = count + 1;
  if (ms > block.latestMs) block.latestMs = ms;
  return true;
}

function sorted(times: number[], values: number[]): { times: number[]; values: number[] } {
  const order = times.map((_, at) => at).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0));
  return {
    times: order.map((at) => times[at] as number),
    values: order.map((at) => values[at] as number),
  };
}

/** A block as it is kept: its numbers, little-endian. */
export function packBlock({ count, numbers }: Block): Buffer {
  const body = Buffer.allocUnsafe(count * POINT_NUMBERS * 8);
  for (let at = 0; at < count * POINT_NUMBERS; at += 1) {
    body.writeDoubleLE(numbers[at] as number, at * 8);
  }
  return body;
}

export function unpackBlock(startMs: number, body: Buffer): Block {
  const numbers = new Float64Array(body.length / 8);
  let latestMs = -Infinity;
  for (let at = 0; at < numbers.length; at += 1) {
    const number = body.readDoubleLE(at * 8);
    numbers[at] = number;
    if (at % POINT_NUMBERS === 1 && number > latestMs) latestMs = number;
  }
  return { startMs, count: numbers.length / POINT_NUMBERS, numbers, latestMs };
}
