import type { KeyValue, WatchCache } from '@coord/client';
import { ConnectionError, TimeoutError } from '@coord/client';
import type { Wait } from '@coord/client/internal';
import { type ConfigStore, readState } from './config-store.js';
import type { KeyState } from './key-state.js';

/** Keys followed at once; beyond that the one read longest ago is let go. */
const MAX_KEYS = 1000;

/**
 * Reads from local copies, one for each key that has been read.
 *
 * The copy holds the raw value. Its record is fetched once for each new value, so that reading an
 * unchanged key costs no call to etcd.
 */
export class CachedReader {
  readonly #store: ConfigStore;
  readonly #keys = new Map<string, CachedKey>();

  constructor(store: ConfigStore) {
    this.#store = store;
  }

  async read(key: string, wait: Wait): Promise<KeyState> {
    const cached = this.#open(key);
    await wait.race(cached.copy.ready);
    await cached.copy.synced({ signal: wait.signal }).catch(ignoreOutage);
    wait.check();
    const raw = cached.copy.get(this.#store.layout.raw(key));
    const known = cached.state;
    if (known !== undefined && known.raw?.modRevision === raw?.modRevision) return known;
    try {
      cached.state = await readState(this.#store, key, wait.signal);
      return cached.state;
    } catch (error) {
      if (known === undefined) throw error;
      ignoreOutage(error);
      return known; // value and version that belong together, if not the newest
    }
  }

  async close(): Promise<void> {
    const all = [...this.#keys.values()];
    this.#keys.clear();
    await Promise.all(all.map((cached) => cached.copy.close()));
  }

  #open(key: string): CachedKey {
    const { client, layout, logger } = this.#store;
    const cached = this.#keys.get(key) ?? {
      copy: client.cache(layout.raw(key), { decode: (kv: KeyValue) => kv }),
      state: undefined,
    };
    this.#keys.delete(key);
    this.#keys.set(key, cached); // a Map keeps the order of insertion: the last is the latest read
    const [oldest] = this.#keys;
    if (this.#keys.size > MAX_KEYS && oldest !== undefined) {
      this.#keys.delete(oldest[0]);
      oldest[1].copy
        .close()
        .catch((error: unknown) => logger.warn('config cache did not close', { key: oldest[0], error }));
    }
    return cached;
  }
}

interface CachedKey {
  readonly copy: WatchCache<KeyValue>;
  /** What was joined last. */
  state: KeyState | undefined;
}

function ignoreOutage(error: unknown): void {
  if (error instanceof ConnectionError || error instanceof TimeoutError) return;
  throw error;
}
