/** What is to be done when, on a clock that only goes forward. An item is in it once for each time. */
export interface Agenda<Item> {
  add(atMs: number, item: Item): void;
  /** The earliest time that has an item; infinite when there is none. */
  readonly nextMs: number;
  /** Takes the items of the earliest time. */
  take(): Set<Item>;
}

export function makeAgenda<Item>(): Agenda<Item> {
  const items = new Map<number, Set<Item>>();
  /** The times, each not later than those at twice its place and one or two more. */
  const heap: number[] = [];

  const push = (ms: number) => {
    let place = heap.length;
    heap.push(ms);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = heap[above] as number;
      if (other <= ms) break;
      heap[place] = other;
      place = above;
    }
    heap[place] = ms;
  };

  const pop = (): number => {
    const first = heap[0] as number;
    const last = heap.pop() as number;
    if (heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] as number) < (heap[below] as number)) {
        below += 1;
      }
      if ((heap[below] as number) >= last) break;
      heap[place] = heap[below] as number;
      place = below;
    }
    heap[place] = last;
    return first;
  };

  return {
    add(atMs, item) {
      const there = items.get(atMs);
      if (there) there.add(item);
      else {
        items.set(atMs, new Set([item]));
        push(atMs);
      }
    },
    get nextMs() {
      return heap[0] ?? Number.POSITIVE_INFINITY;
    },
    take() {
      const ms = pop();
      const taken = items.get(ms) ?? new Set();
      items.delete(ms);
      return taken;
    },
  };
}
