import { ClosedError } from './errors.js';
import { type KeyRange, type Range, rangesOverlap } from './range.js';
import { RangeCache } from './range-cache.js';
import type { SubscriptionContext } from './watch-subscription.js';

interface Pooled {
  readonly cache: RangeCache;
  users: number;
  linger: NodeJS.Timeout | undefined;
}

/** How long a copy is kept after its last user: the next one finds it warm. */
const LINGER_MS = 30_000;

/** One raw copy for each range, shared and reference-counted. */
export class RangeCachePool {
  readonly #context: SubscriptionContext;
  readonly #pooled = new Map<string, Pooled>();

  constructor(context: SubscriptionContext) {
    this.#context = context;
  }

  /** @throws {ValidationError} for a bad range */
  acquire(range: Range): { cache: RangeCache; release: () => void } {
    const id = identityOf(this.#context.codec.range(range));
    let pooled = this.#pooled.get(id);
    if (pooled === undefined || pooled.cache.error) {
      pooled = { cache: new RangeCache(range, this.#context), users: 0, linger: undefined };
      this.#pooled.set(id, pooled);
    }
    clearTimeout(pooled.linger);
    pooled.users++;
    const held = pooled;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      held.users--;
      if (held.users > 0) return;
      held.linger = setTimeout(() => this.#drop(id, held), LINGER_MS);
      held.linger.unref();
    };
    return { cache: pooled.cache, release };
  }

  /** This client has changed a range: readers of an overlapping copy may wait for it. */
  noteWrite(range: KeyRange, revision: bigint): void {
    for (const { cache } of this.#pooled.values()) {
      if (rangesOverlap(cache.range, range)) cache.noteOwnWrite(revision);
    }
  }

  close(): void {
    for (const { cache, linger } of this.#pooled.values()) {
      clearTimeout(linger);
      cache.close(new ClosedError('the client is closed'));
    }
    this.#pooled.clear();
  }

  #drop(id: string, pooled: Pooled): void {
    if (pooled.users > 0) return;
    if (this.#pooled.get(id) === pooled) this.#pooled.delete(id);
    pooled.cache.close(new ClosedError('the cache is no longer used'));
  }
}

function identityOf(range: KeyRange): string {
  return `${range.key.toString('hex')}:${range.end?.toString('hex') ?? ''}`;
}
