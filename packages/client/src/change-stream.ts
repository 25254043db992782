import type { CacheChange, CacheUpdate } from './cache.js';
import { PushIterator } from './push-iterator.js';

/** Changes held for a slow reader one by one; beyond that the newest are merged, key by key. */
const MAX_PENDING = 1_024;

/** What could not be held one by one: one change a key, whatever happened to it. */
interface Merged<T> {
  revision: bigint;
  resync: boolean;
  changes: readonly CacheChange<T>[];
}

/**
 * The updates of a cache for one reader, in bounded memory.
 *
 * A reader who falls behind gets the oldest updates as they were, and then one that leads from there to
 * the newest state at once: at most one change a key, `previous` being what the reader saw last.
 */
export class ChangeStream<T> implements AsyncIterable<CacheUpdate<T>>, AsyncDisposable {
  readonly #updates: PushIterator<CacheUpdate<T>>;
  /** How many changes each update has that waits for the reader. */
  readonly #sizes: number[] = [];
  #pending = 0;
  /** The last one in the queue, while it is being merged into. */
  #tail: Merged<T> | undefined;
  #byKey = new Map<string, CacheChange<T>>();

  /** @param onClose the reader or the cache has ended it */
  constructor(onClose: () => void) {
    this.#updates = new PushIterator({ onClose, onTake: () => this.#taken() });
  }

  push(update: CacheUpdate<T>): void {
    if (this.#updates.closed) return;
    if (this.#tail !== undefined) this.#merge(this.#tail, update);
    else if (this.#pending === 0 || this.#pending + update.changes.length <= MAX_PENDING) {
      this.#enqueue(update, update.changes.length);
    } else {
      const { revision, resync } = update;
      this.#tail = { revision, resync, changes: [] };
      for (const change of update.changes) this.#byKey.set(change.key, change);
      this.#enqueue(this.#tail, 0);
    }
  }

  /** Ends after the updates already pushed. */
  end(): void {
    this.#updates.end();
  }

  /** Throws from the loop, after the updates already pushed. */
  fail(error: unknown): void {
    this.#updates.fail(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<CacheUpdate<T>> {
    return this.#updates;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#updates.return();
  }

  #enqueue(update: CacheUpdate<T>, size: number): void {
    this.#sizes.push(size);
    this.#pending += size;
    this.#updates.push(update);
  }

  #taken(): void {
    this.#pending -= this.#sizes.shift() ?? 0;
    if (this.#sizes.length > 0 || this.#tail === undefined) return;
    this.#tail.changes = [...this.#byKey.values()];
    this.#tail = undefined;
    this.#byKey = new Map();
  }

  #merge(tail: Merged<T>, { revision, changes }: CacheUpdate<T>): void {
    tail.revision = revision;
    tail.resync = true;
    for (const change of changes) {
      const before = this.#byKey.get(change.key);
      const merged = before === undefined ? change : join(before, change);
      if (merged === undefined) this.#byKey.delete(change.key);
      else this.#byKey.set(change.key, merged);
    }
  }
}

/** Two changes of one key as one; undefined when the key has come and gone. */
function join<T>(first: CacheChange<T>, second: CacheChange<T>): CacheChange<T> | undefined {
  const { previous } = first;
  if (first.type === 'put' && previous === undefined && second.type === 'delete') return undefined;
  const { previous: _between, ...rest } = second;
  return previous === undefined ? rest : { ...rest, previous };
}
