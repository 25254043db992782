import { resolve } from 'node:path';
import { ClosedError } from './errors.js';
import { type KeyRange, type Range, rangesOverlap } from './range.js';
import { type CacheContext, RangeCache } from './range-cache.js';
import { SnapshotFile } from './snapshot-file.js';
import { SnapshotKeeper } from './snapshot-keeper.js';
import { assertValid } from './validation.js';

interface Pooled {
  readonly cache: RangeCache;
  /** By the path of the file. */
  readonly keepers: Map<string, SnapshotKeeper>;
  users: number;
  linger: NodeJS.Timeout | undefined;
}

/** How long a copy is kept after its last user: the next one finds it warm. */
const LINGER_MS = 30_000;

/** One raw copy for each range, shared and reference-counted. */
export class RangeCachePool {
  readonly #context: CacheContext;
  /** Of the client: a file is good for one alone, since it holds keys without it. */
  readonly #namespace: string;
  readonly #pooled = new Map<string, Pooled>();
  /** Ends the telling of how old the copies are. */
  #untold: (() => void) | undefined;

  constructor(context: CacheContext, namespace: string) {
    this.#context = context;
    this.#namespace = Buffer.from(namespace).toString('hex');
  }

  /**
   * @param snapshotFile where to keep a copy on disk
   * @throws {ValidationError} for a bad range, and for a file that another range of this client is kept in
   */
  acquire(range: Range, snapshotFile?: string): { cache: RangeCache; release: () => Promise<void> } {
    const id = identityOf(this.#context.codec.range(range));
    const path = snapshotFile === undefined ? undefined : resolve(snapshotFile);
    if (path !== undefined) this.#assertFree(path, id);
    let pooled = this.#pooled.get(id);
    if (pooled === undefined || pooled.cache.error) {
      const cache = new RangeCache(range, this.#context);
      pooled = { cache, keepers: new Map(), users: 0, linger: undefined };
      this.#pooled.set(id, pooled);
      this.#untold ??= this.#context.metrics?.watchCacheAge(() => this.#oldestMs());
    }
    clearTimeout(pooled.linger);
    pooled.users++;
    const held = pooled;
    const keeper = path === undefined ? undefined : this.#keeperOf(held, id, path);
    let released = false;
    const release = async () => {
      if (released) return;
      released = true;
      held.users--;
      if (held.users === 0) {
        held.linger = setTimeout(() => this.#drop(id, held), LINGER_MS);
        held.linger.unref();
      }
      await keeper?.flush();
    };
    return { cache: pooled.cache, release };
  }

  /** This client has changed a range: readers of an overlapping copy may wait for it. */
  noteWrite(range: KeyRange, revision: bigint): void {
    for (const { cache } of this.#pooled.values()) {
      if (rangesOverlap(cache.range, range)) cache.noteOwnWrite(range, revision);
    }
  }

  /** Ends every copy at once; resolves when what belongs on disk is there. */
  async close(): Promise<void> {
    const all = [...this.#pooled.values()];
    this.#pooled.clear();
    this.#untold?.();
    await Promise.all(
      all.map(async (pooled) => {
        clearTimeout(pooled.linger);
        await close(pooled, new ClosedError('the client is closed'));
      }),
    );
  }

  /** Two ranges in one file would overwrite each other. */
  #assertFree(path: string, id: string): void {
    for (const [other, { keepers }] of this.#pooled) {
      if (other === id || !keepers.has(path)) continue;
      assertValid([{ path: 'snapshotFile', message: `${path} is the file of another range` }]);
    }
  }

  #keeperOf({ cache, keepers }: Pooled, id: string, path: string): SnapshotKeeper {
    const present = keepers.get(path);
    if (present !== undefined) return present;
    const about = `${this.#namespace}:${id}`;
    const keeper = new SnapshotKeeper(cache, new SnapshotFile(path), about, this.#context.logger);
    keepers.set(path, keeper);
    return keeper;
  }

  /** Copies that nobody uses at present do not count. */
  #oldestMs(): number {
    const used = [...this.#pooled.values()].filter(({ users }) => users > 0);
    return Math.max(0, ...used.map(({ cache }) => cache.ageMs));
  }

  #drop(id: string, pooled: Pooled): void {
    if (pooled.users > 0) return;
    if (this.#pooled.get(id) === pooled) this.#pooled.delete(id);
    close(pooled, new ClosedError('the cache is no longer used')).catch(() => undefined);
  }
}

async function close({ cache, keepers }: Pooled, reason: ClosedError): Promise<void> {
  const saving = [...keepers.values()].map((keeper) => keeper.close());
  cache.close(reason);
  await Promise.all(saving);
}

function identityOf(range: KeyRange): string {
  return `${range.key.toString('hex')}:${range.end?.toString('hex') ?? ''}`;
}
