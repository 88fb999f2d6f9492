import { randomBytes } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import { makeExpiry } from "../../lib/expiry.ts";

/**
 * The ids of series that were seen lately, by sender and by the bytes that name them in a request:
 * so that a name is neither decoded nor copied to be looked up. Of bounded size; what has not been
 * asked for in a while is forgotten.
 */
export interface KnownSeries {
  /** Forgets what may not be believed any more; to be called once before series are looked up. */
  forgetOld(): void;
  find(sender: number, name: NameBytes): number | undefined;
  set(sender: number, name: NameBytes, seriesId: number): void;
}

/** Where a name lies. */
export interface NameBytes {
  view: DataView;
  start: number;
  end: number;
}

/**
 * Names that collide by intent make a lookup no longer than this; what is not found by then counts
 * as unknown, which only costs whoever sent it.
 */
const MOST_STEPS = 64;
/** Memory that each entry takes besides its name, about. */
const ENTRY_BYTES = 40;

/** Nothing is believed for longer than `forgetAfterMs`: then all is forgotten. */
export function makeKnownSeries(
  mostBytes: number,
  { forgetAfterMs, clock }: { forgetAfterMs: number; clock: Clock },
): KnownSeries {
  const seed = randomBytes(4).readInt32LE();
  // Two generations: when the young one fills its half, the old one is let go.
  let young = makeTable();
  let old = makeTable();
  const isExpired = makeExpiry(forgetAfterMs, clock);

  const add = (hash: number, sender: number, name: NameBytes, seriesId: number) => {
    if (young.bytes() > mostBytes / 2) {
      old = young;
      young = makeTable();
    }
    young.add(hash, sender, name, seriesId);
  };

  return {
    forgetOld() {
      if (!isExpired()) return;
      young = makeTable();
      old = makeTable();
    },
    find(sender, name) {
      const next = young.findNext(sender, name);
      if (next !== undefined) return next;
      const hash = hashOf(seed ^ sender, name);
      const found = young.find(hash, sender, name);
      if (found !== undefined) return found;
      const again = old.find(hash, sender, name);
      if (again !== undefined) add(hash, sender, name, again);
      return again;
    },
    set(sender, name, seriesId) {
      const hash = hashOf(seed ^ sender, name);
      if (young.find(hash, sender, name) === undefined) add(hash, sender, name, seriesId);
    },
  };
}

/** Four bytes at a time, then the rest. */
function hashOf(seed: number, { view, start, end }: NameBytes): number {
  let hash = seed ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at += 1) hash = Math.imul(hash ^ view.getUint8(at), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** A hash table in flat arrays, which only grows. */
function makeTable() {
  let capacity = 1024;
  let count = 0;
  /** Twice as many as entries; one more than the entry's number, or 0. */
  let slots = new Int32Array(2 * capacity);
  let hashes = new Int32Array(capacity);
  let senders = new Int32Array(capacity);
  let starts = new Uint32Array(capacity);
  let lengths = new Uint32Array(capacity);
  let ids = new Float64Array(capacity);
  let names = new Uint8Array(64 * capacity);
  let namesView = new DataView(names.buffer);
  let namesEnd = 0;
  /** What was found last. */
  let last = -1;

  const isSame = (entry: number, { view, start, end }: NameBytes): boolean => {
    let mine = starts[entry] as number;
    let at = start;
    for (; at + 4 <= end; at += 4, mine += 4) {
      if (view.getInt32(at, true) !== namesView.getInt32(mine, true)) return false;
    }
    for (; at < end; at += 1, mine += 1) if (view.getUint8(at) !== names[mine]) return false;
    return true;
  };

  /** False when there is no place near enough. */
  const put = (entry: number, hash: number): boolean => {
    const mask = slots.length - 1;
    for (let step = 0; step < MOST_STEPS; step += 1) {
      const slot = (hash + step) & mask;
      if (slots[slot] !== 0) continue;
      slots[slot] = entry + 1;
      return true;
    }
    return false;
  };

  const grow = () => {
    capacity *= 2;
    const larger = <List extends Int32Array | Uint32Array | Float64Array>(from: List, to: List) => {
      to.set(from);
      return to;
    };
    hashes = larger(hashes, new Int32Array(capacity));
    senders = larger(senders, new Int32Array(capacity));
    starts = larger(starts, new Uint32Array(capacity));
    lengths = larger(lengths, new Uint32Array(capacity));
    ids = larger(ids, new Float64Array(capacity));
    slots = new Int32Array(2 * capacity);
    for (let entry = 0; entry < count; entry += 1) put(entry, hashes[entry] as number);
  };

  const keepName = ({ view, start, end }: NameBytes): number => {
    const length = end - start;
    if (namesEnd + length > names.length) {
      const more = new Uint8Array(Math.max(2 * names.length, namesEnd + length));
      more.set(names);
      names = more;
      namesView = new DataView(names.buffer);
    }
    names.set(new Uint8Array(view.buffer, view.byteOffset + start, length), namesEnd);
    namesEnd += length;
    return namesEnd - length;
  };

  return {
    bytes: () => namesEnd + count * ENTRY_BYTES,
    /** A sender's series come in the same order again and again: then each follows the one before. */
    findNext(sender: number, name: NameBytes): number | undefined {
      const entry = last + 1;
      const length = name.end - name.start;
      if (entry >= count || senders[entry] !== sender || lengths[entry] !== length)
        return undefined;
      if (!isSame(entry, name)) return undefined;
      last = entry;
      return ids[entry];
    },
    find(hash: number, sender: number, name: NameBytes): number | undefined {
      const mask = slots.length - 1;
      const length = name.end - name.start;
      for (let step = 0; step < MOST_STEPS; step += 1) {
        const entry = (slots[(hash + step) & mask] as number) - 1;
        if (entry < 0) return undefined;
        if (hashes[entry] !== hash || senders[entry] !== sender) continue;
        if (lengths[entry] !== length || !isSame(entry, name)) continue;
        last = entry;
        return ids[entry];
      }
      return undefined;
    },
    add(hash: number, sender: number, name: NameBytes, seriesId: number): void {
      if (count === capacity) grow();
      if (!put(count, hash)) return;
      hashes[count] = hash;
      senders[count] = sender;
      starts[count] = keepName(name);
      lengths[count] = name.end - name.start;
      ids[count] = seriesId;
      count += 1;
    },
  };
}
