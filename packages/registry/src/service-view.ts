import { addAbortListener } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  ClosedError,
  type CoordClient,
  type KeyValue,
  TimeoutError,
  type WaitOptions,
  type WatchCache,
} from '@coord/client';
import {
  type Backoff,
  backoffDelayMs,
  type CoordLogger,
  delay,
  monotonicNow,
  raceAbort,
} from '@coord/client/internal';
import { EmptyHold, isHealthy } from './empty-hold.js';
import type { ServiceKeys } from './keys.js';
import type { ServiceInfo } from './service-info.js';
import { decodeInstance, type StoredInstance } from './service-value.js';

/** How long a cached read waits for this client's own writes while etcd is away, before it serves what it has. */
const OWN_WRITES_WAIT_MS = 1_000;

export interface ServiceViewOptions {
  readonly client: CoordClient;
  readonly keys: ServiceKeys;
  readonly serviceName: string;
  readonly emptyHoldMs: number;
  readonly logger: CoordLogger;
}

/** After a failure that the cache could not mend, such as a permission that was withdrawn. */
const RESTART: Backoff = { initialDelayMs: 500, maxDelayMs: 10_000, multiplier: 2 };

/**
 * The instances of one service, kept up to date: shared by `discover`, `watchInstances` and the resolver.
 * Once known, the list is there for good: whatever goes wrong, the last known one stays.
 */
export class ServiceView {
  readonly serviceName: string;
  readonly #options: ServiceViewOptions;
  readonly #hold: EmptyHold;
  readonly #listeners = new Set<() => void>();
  readonly #ended = new AbortController();
  /** The present attempt to get the list; rejects when it fails. */
  #listed: Promise<void>;
  #cache: WatchCache<StoredInstance> | undefined;
  #known = false;
  #failure: unknown;
  #all: readonly ServiceInfo[] = [];
  #healthy: readonly ServiceInfo[] = [];
  #followedRevision = 0n;
  #expiryTimer: NodeJS.Timeout | undefined;

  constructor(options: ServiceViewOptions) {
    this.serviceName = options.serviceName;
    this.#options = options;
    this.#hold = new EmptyHold(options.emptyHoldMs);
    this.#listed = this.#start();
    this.#keepFollowing().catch(() => undefined); // only close() ends it
  }

  /** Every believed instance, whatever its health; undefined until the first list is known. */
  get all(): readonly ServiceInfo[] | undefined {
    return this.#known ? this.#all : undefined;
  }

  /** The believed instances that are healthy; undefined until the first list is known. */
  get healthy(): readonly ServiceInfo[] | undefined {
    return this.#known ? this.#healthy : undefined;
  }

  /** Why the list is not followed at present; undefined while it is, or while etcd just cannot be reached. */
  get failure(): unknown {
    return this.#failure;
  }

  get closed(): boolean {
    return this.#ended.signal.aborted;
  }

  /** For people: how old the list is, and at which revision. */
  describe(): string {
    if (!this.#known || this.#cache === undefined) return 'the instances could not be read from etcd yet';
    const { source, ageMs, revision } = this.#cache;
    const age = source === 'live' ? 'live' : `etcd unreachable for ${Math.round(ageMs / 1000)} s`;
    return `${this.#healthy.length} of ${this.#all.length} instances healthy, ${age}, revision ${revision}`;
  }

  /** Calls back after each change, and when the view fails or is closed. @returns the function that ends it */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the list is known for the first time; rejects when the present attempt to get it fails. */
  async listed(signal: AbortSignal): Promise<void> {
    if (!this.#known) await raceAbort(this.#listed, signal);
  }

  /**
   * Resolves when the list shows what this client has written; while etcd is away, after a second. Without
   * a wait it costs next to nothing: this is on the way of every cached read.
   */
  async settled({ signal, timeoutMs = OWN_WRITES_WAIT_MS }: WaitOptions): Promise<void> {
    if (this.closed) throw this.#closedError();
    const cache = this.#cache;
    if (cache === undefined || this.#failure !== undefined) return; // the last known list
    try {
      await cache.synced({ signal, timeoutMs: Math.min(timeoutMs, OWN_WRITES_WAIT_MS) });
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
    const { revision } = cache;
    if (revision === this.#followedRevision) return;
    await nextTurn(); // the cache has moved on: its update is on the way to us, some microtasks away
    this.#followedRevision = revision;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.#ended.abort();
    clearTimeout(this.#expiryTimer);
    this.#notify();
    this.#listeners.clear();
    await this.#cache?.close();
  }

  async #keepFollowing(): Promise<void> {
    for (let attempt = 1; !this.closed; attempt++) {
      try {
        await this.#listed;
        attempt = 1;
        await this.#follow();
      } catch (error) {
        if (this.closed) return;
        if (error instanceof ClosedError) {
          await this.close(); // the client has been closed
          return;
        }
        this.#failure = error;
        const { logger } = this.#options;
        logger.warn('service not followed', { service: this.serviceName, error });
        this.#notify();
      }
      await this.#cache?.close();
      await delay(backoffDelayMs(attempt, RESTART), this.#ended.signal);
      this.#listed = this.#start();
    }
  }

  /** Opens the cache and takes over its first list. */
  #start(): Promise<void> {
    const { client, keys, serviceName } = this.#options;
    const start = async () => {
      const cache = openServiceCache(client, keys, serviceName);
      this.#cache = cache;
      await raceAbort(cache.ready, this.#ended.signal);
    };
    const started = start();
    started.catch(() => undefined); // whoever needs the list awaits it himself
    return started;
  }

  async #follow(): Promise<void> {
    const cache = this.#cache;
    if (cache === undefined) return;
    // In one tick: no change can fall between the list and the changes.
    const entries = cache.entries();
    await using changes = cache.changes();
    const stop = addAbortListener(this.#ended.signal, () => void changes[Symbol.asyncDispose]());
    try {
      this.#takeOver(entries);
      for await (const update of changes) this.#apply(update.changes);
    } finally {
      stop[Symbol.dispose]();
    }
    if (!this.closed) throw this.#closedError();
  }

  /** What has vanished since an earlier list vanishes now. */
  #takeOver(entries: ReadonlyMap<string, StoredInstance>): void {
    const gone = this.#all.map(({ id }) => ({ key: this.#options.keys.instance(this.serviceName, id) }));
    this.#known = true;
    this.#failure = undefined;
    this.#apply([
      ...gone.filter(({ key }) => !entries.has(key)),
      ...Array.from(entries, ([key, value]) => ({ key, value })),
    ]);
  }

  #closedError(): ClosedError {
    return new ClosedError(`the view of service "${this.serviceName}" has been closed`);
  }

  #apply(changes: Iterable<{ key: string; value?: StoredInstance | undefined }>): void {
    this.#hold.apply(
      Array.from(changes, ({ key, value }) => ({
        id: key.slice(key.lastIndexOf('/') + 1),
        instance: value,
      })),
      monotonicNow(),
    );
    this.#publish();
  }

  #publish(): void {
    this.#all = Object.freeze(this.#hold.list());
    this.#healthy = Object.freeze(this.#all.filter(isHealthy));
    this.#armExpiry();
    this.#notify();
  }

  #armExpiry(): void {
    clearTimeout(this.#expiryTimer);
    const nextMs = this.#hold.nextExpiryMs;
    if (nextMs === undefined || this.closed) return;
    this.#expiryTimer = setTimeout(
      () => {
        if (this.#hold.expire(monotonicNow())) {
          this.#options.logger.warn('service has no instances left', { service: this.serviceName });
        }
        this.#publish();
      },
      Math.max(1, nextMs - monotonicNow()),
    );
    this.#expiryTimer.unref();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#options.logger.error('a listener threw', { service: this.serviceName, error });
      }
    }
  }
}

/** The shared live copy of a service's instances; values that are none are left out and logged by the client. */
export function openServiceCache(
  client: CoordClient,
  keys: ServiceKeys,
  serviceName: string,
): WatchCache<StoredInstance> {
  return client.cache({ prefix: keys.service(serviceName) }, { decode: (kv) => decodeAt(keys, kv) });
}

/** @throws when the value is no instance */
export function decodeAt(keys: ServiceKeys, kv: KeyValue): StoredInstance | undefined {
  const parts = keys.parse(kv.key);
  return parts && decodeInstance(kv, parts.serviceName, parts.instanceId);
}
