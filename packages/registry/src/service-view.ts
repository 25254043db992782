import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type CacheUpdate,
  ClosedError,
  type CoordClient,
  type KeyValue,
  TimeoutError,
  type WaitOptions,
  type WatchCache,
} from '@coord/client';
import { type CoordLogger, monotonicNow, raceAbort } from '@coord/client/internal';
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

/** The instances of one service, kept up to date: shared by `discover`, `watchInstances` and the resolver. */
export class ServiceView {
  readonly serviceName: string;
  /** Resolves when the list is known for the first time; rejects when it never will be. */
  readonly ready: Promise<void>;
  readonly #cache: WatchCache<StoredInstance>;
  readonly #logger: CoordLogger;
  readonly #hold: EmptyHold;
  readonly #listeners = new Set<() => void>();
  #state: 'starting' | 'following' | 'failed' | 'closed' = 'starting';
  #changes: (AsyncIterable<CacheUpdate<StoredInstance>> & AsyncDisposable) | undefined;
  #known = false;
  #failure: unknown;
  #all: readonly ServiceInfo[] = [];
  #healthy: readonly ServiceInfo[] = [];
  #followedRevision = 0n;
  #expiryTimer: NodeJS.Timeout | undefined;

  constructor({ client, keys, serviceName, emptyHoldMs, logger }: ServiceViewOptions) {
    this.serviceName = serviceName;
    this.#logger = logger;
    this.#hold = new EmptyHold(emptyHoldMs);
    this.#cache = openServiceCache(client, keys, serviceName);
    this.ready = this.#start();
    this.ready.catch(() => undefined); // whoever needs the list awaits it himself
  }

  /** Every believed instance, whatever its health; undefined until the first list is known. */
  get all(): readonly ServiceInfo[] | undefined {
    return this.#known ? this.#all : undefined;
  }

  /** The believed instances that are healthy; undefined until the first list is known. */
  get healthy(): readonly ServiceInfo[] | undefined {
    return this.#known ? this.#healthy : undefined;
  }

  /** Why the view cannot go on; undefined while it can. */
  get failure(): unknown {
    return this.#failure;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** For people: how old the list is, and at which revision. */
  describe(): string {
    if (!this.#known) return 'the instances could not be read from etcd yet';
    const { source, ageMs, revision } = this.#cache;
    const age = source === 'live' ? 'live' : `etcd unreachable for ${Math.round(ageMs / 1000)} s`;
    return `${this.#healthy.length} of ${this.#all.length} instances healthy, ${age}, revision ${revision}`;
  }

  /** Calls back after each change. @returns the function that ends it */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the list is known and shows what this client has written, as far as etcd lets it know. */
  async settled(wait: WaitOptions & { readonly signal: AbortSignal }): Promise<void> {
    if (!this.#known) await raceAbort(this.ready, wait.signal);
    if (this.#state === 'failed') throw this.#failure;
    if (this.#state === 'closed') throw this.#closedError();
    try {
      await this.#cache.synced({ signal: wait.signal, timeoutMs: OWN_WRITES_WAIT_MS });
    } catch (error) {
      if (!(error instanceof TimeoutError) || wait.signal.aborted) throw error;
    }
    if (this.#cache.revision === this.#followedRevision) return;
    // The cache has moved on. Its update is on the way to us, at most some microtasks away.
    const revision = this.#cache.revision;
    await nextTurn();
    this.#followedRevision = revision;
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#expiryTimer);
    this.#notify();
    this.#listeners.clear();
    await this.#changes?.[Symbol.asyncDispose]();
    await this.#cache.close();
  }

  async #start(): Promise<void> {
    try {
      await this.#cache.ready;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    if (this.#state === 'closed') throw this.#closedError();
    // In one tick: no change can fall between the list and the changes.
    const entries = [...this.#cache.entries()];
    this.#changes = this.#cache.changes();
    this.#state = 'following';
    this.#known = true;
    this.#apply(entries.map(([key, value]) => ({ key, value })));
    this.#follow(this.#changes).catch((error: unknown) => this.#fail(error));
  }

  async #follow(changes: AsyncIterable<CacheUpdate<StoredInstance>>): Promise<void> {
    for await (const update of changes) this.#apply(update.changes);
    if (this.#state !== 'closed') throw this.#closedError();
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
    if (nextMs === undefined || this.#state === 'closed') return;
    this.#expiryTimer = setTimeout(
      () => {
        if (this.#hold.expire(monotonicNow())) {
          this.#logger.warn('service has no instances left', { service: this.serviceName });
        }
        this.#publish();
      },
      Math.max(1, nextMs - monotonicNow()),
    );
    this.#expiryTimer.unref();
  }

  #fail(error: unknown): void {
    if (this.#state === 'closed' || this.#state === 'failed') return;
    this.#state = 'failed';
    this.#failure = error;
    this.#logger.warn('service view ended', { service: this.serviceName, error });
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#logger.error('a listener threw', { service: this.serviceName, error });
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
