import type { KeyValue, WatchCache } from '@coord/client';
import { ConnectionError, TimeoutError } from '@coord/client';
import type { Wait } from '@coord/client/internal';
import { type ConfigStore, readState } from './config-store.js';
import type { KeyState } from './key-state.js';

/** Keys followed at once; beyond that the one read longest ago is let go. */
const MAX_KEYS = 1000;

/** How long a read waits to see this client's own writes; the copy lags by milliseconds, except in an outage. */
const SYNC_TIMEOUT_MS = 500;

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
    const isOpen = () => this.#keys.get(key) === cached;
    await upToDate(cached.copy, wait).catch((error: unknown) => {
      if (!isOpen()) return;
      // A copy that etcd has refused (a permission taken away) never comes back: the next read opens a new one.
      if (!wait.cancellation.aborted) this.#letGo(key, cached);
      throw error;
    });
    if (!isOpen()) return readState(this.#store, key, wait.signal); // let go meanwhile
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
    const { client, layout } = this.#store;
    const cached = this.#keys.get(key) ?? {
      copy: client.cache(layout.raw(key), { decode: (kv: KeyValue) => kv }),
      state: undefined,
    };
    this.#keys.delete(key);
    this.#keys.set(key, cached); // a Map keeps the order of insertion: the last is the latest read
    const [oldest] = this.#keys;
    if (this.#keys.size > MAX_KEYS && oldest !== undefined) this.#letGo(...oldest);
    return cached;
  }

  #letGo(key: string, { copy }: CachedKey): void {
    this.#keys.delete(key);
    copy
      .close()
      .catch((error: unknown) => this.#store.logger.warn('config cache did not close', { key, error }));
  }
}

interface CachedKey {
  readonly copy: WatchCache<KeyValue>;
  /** What was joined last. */
  state: KeyState | undefined;
}

async function upToDate(copy: WatchCache<KeyValue>, wait: Wait): Promise<void> {
  await wait.race(copy.ready);
  await wait.race(copy.synced({ timeoutMs: SYNC_TIMEOUT_MS }).catch(ignoreOutage));
}

function ignoreOutage(error: unknown): void {
  if (error instanceof ConnectionError || error instanceof TimeoutError) return;
  throw error;
}
