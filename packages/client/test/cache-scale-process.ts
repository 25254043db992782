/** A process of its own with a large cache and nothing else, so that its memory can be measured. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect } from '../src/index.js';

export interface Loaded {
  readonly keys: number;
  readonly loadMs: number;
  /** Heap and buffers, for the raw copy and for the decoded entries. */
  readonly bytesAKey: number;
}

export interface Followed {
  readonly updates: number;
  /** The longest and all of the time spent in `entries()`, once for each update. */
  readonly longestMs: number;
  readonly totalMs: number;
  /** Whether the first snapshot is still what it was. */
  readonly unchanged: boolean;
}

const [endpoint = '', prefix = '', end = ''] = process.argv.slice(2);

/** What stays: the buffers of messages go over several turns of the event loop. */
async function usedBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 8; turn++) {
    await nextTurn();
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external);
  }
  return least;
}

const client = await connect({ endpoints: [endpoint] });
const before = await usedBytes();
const startedAt = performance.now();
const cache = client.cache({ prefix }, { decode: (kv) => kv.text().length });
await cache.ready;
const loadMs = performance.now() - startedAt;
const first = cache.entries();
const changes = cache.changes();
const bytesAKey = ((await usedBytes()) - before) / first.size;
const loaded: Loaded = { keys: first.size, loadMs, bytesAKey };
process.send?.(loaded);

let [updates, longestMs, totalMs] = [0, 0, 0];
const copy = new Map(first);
for await (const update of changes) {
  const askedAt = performance.now();
  const entries = cache.entries();
  const tookMs = performance.now() - askedAt;
  longestMs = Math.max(longestMs, tookMs);
  totalMs += tookMs;
  updates += update.changes.length;
  if (entries.get(end) !== undefined) break;
}
const unchanged = first.size === copy.size && [...first].every(([key, value]) => copy.get(key) === value);
const followed: Followed = { updates, longestMs, totalMs, unchanged };
process.send?.(followed);
await client.close();
process.disconnect();
