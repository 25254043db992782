import { addAbortListener } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AbortedError, ClosedError, TimeoutError, type WaitOptions, type WatchCache } from '@coord/client';
import { type Backoff, backoffDelayMs, monotonicNow, raceAbort } from '@coord/client/internal';
import { EmptyHold, isHealthy } from './empty-hold.js';
import type { LiveView } from './live-views.js';
import type { RegistryContext } from './registry-context.js';
import { RetryPause } from './retry-pause.js';
import { openServiceCache, snapshotFileOf } from './service-cache.js';
import type { ServiceInfo } from './service-info.js';
import { type ServiceStatus, statusOf } from './service-status.js';
import type { StoredInstance } from './service-value.js';

/** How long a cached read waits for this client's own writes while etcd is away, before it serves what it has. */
const OWN_WRITES_WAIT_MS = 1_000;

/** After a failure that the cache could not mend, such as a permission that was withdrawn. */
const RESTART: Backoff = { initialDelayMs: 500, maxDelayMs: 10_000, multiplier: 2 };

/**
 * The instances of one service, kept up to date: shared by `discover`, `watchInstances` and the resolver.
 * Once known, the list is there for good: whatever goes wrong, the last known one stays.
 */
export class ServiceView implements LiveView {
  readonly serviceName: string;
  readonly #context: RegistryContext;
  readonly #hold: EmptyHold;
  readonly #listeners = new Set<() => void>();
  readonly #pause = new RetryPause();
  #waiting = 0;
  #kept = false;
  readonly #ended = new AbortController();
  /** The present attempt to get the list; rejects when it fails. */
  #listed: Promise<void>;
  #cache: WatchCache<StoredInstance> | undefined;
  #known = false;
  #failure: unknown;
  /** The cache has given its list and not failed since. */
  #following = false;
  /** When the list was last known to follow etcd, and what it showed then; while it is not followed. */
  #lost = { atMs: 0, revision: 0n };
  /** Made when somebody asks: while thousands of instances change, hardly anybody does. */
  #all: readonly ServiceInfo[] | undefined;
  #healthy: readonly ServiceInfo[] | undefined;
  #followedRevision = 0n;
  #expiryTimer: NodeJS.Timeout | undefined;

  constructor(context: RegistryContext, serviceName: string) {
    this.serviceName = serviceName;
    this.#context = context;
    this.#hold = new EmptyHold(context.config.emptyHoldMs);
    this.#listed = this.#start();
    this.#keepFollowing().catch(() => undefined); // only close() ends it
  }

  /** Every believed instance, whatever its health; undefined until the first list is known. */
  get all(): readonly ServiceInfo[] | undefined {
    if (!this.#known) return undefined;
    this.#all ??= Object.freeze(this.#hold.list());
    return this.#all;
  }

  /** The believed instances that are healthy; undefined until the first list is known. */
  get healthy(): readonly ServiceInfo[] | undefined {
    if (!this.#known) return undefined;
    this.#healthy ??= Object.freeze(this.all?.filter(isHealthy) ?? []);
    return this.#healthy;
  }

  /** Why the list is not followed at present; undefined while it is, or while etcd just cannot be reached. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Somebody relies on it, or it knows of instances. */
  get needed(): boolean {
    return this.#kept || this.#waiting > 0 || this.#listeners.size > 0 || (this.all ?? []).length > 0;
  }

  /** It is needed from here on, whether or not it looks so. */
  keep(): void {
    this.#kept = true;
  }

  get closed(): boolean {
    return this.#ended.signal.aborted;
  }

  /** How far the list can be relied on; undefined until it is known for the first time. */
  get status(): ServiceStatus | undefined {
    const { all, healthy } = this;
    if (all === undefined || healthy === undefined) return undefined;
    const cache = this.#following ? this.#cache : undefined;
    return statusOf({
      source: cache?.source ?? 'stale',
      ageMs: cache?.ageMs ?? monotonicNow() - this.#lost.atMs,
      revision: cache?.revision ?? this.#lost.revision,
      instances: all.length,
      healthy: healthy.length,
      held: this.#hold.heldCount,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    });
  }

  /** For people: how old the list is, and at which revision. */
  describe(): string {
    const { status } = this;
    if (status === undefined) return 'the instances could not be read from etcd yet';
    const { source, ageMs, revision, healthy, instances } = status;
    const age = source === 'live' ? 'live' : `etcd unreachable for ${Math.round(ageMs / 1000)} s`;
    return `${healthy} of ${instances} instances healthy, ${age}, revision ${revision}`;
  }

  /** Calls back after each change, and when the view fails or is closed. @returns the function that ends it */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the list is known for the first time; rejects when the present attempt to get it fails. */
  async listed(signal: AbortSignal): Promise<void> {
    if (this.#known) return;
    if (this.#pause.end()) this.#listed = this.#start(); // who asks need not wait for the next attempt
    this.#waiting += 1;
    try {
      await raceAbort(this.#listed, signal);
    } finally {
      this.#waiting -= 1;
    }
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
      if (error instanceof AbortedError || error instanceof ClosedError) throw error;
      if (!(error instanceof TimeoutError)) return; // it has just failed: the last known list
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
        this.#noteLoss();
        this.#context.logger.warn('service not followed', { service: this.serviceName, error });
        this.#notify();
      }
      await this.#cache?.close();
      const early = await this.#pause.wait(backoffDelayMs(attempt, RESTART), this.#ended.signal);
      if (!early && !this.closed) this.#listed = this.#start();
    }
  }

  /** Opens the cache and takes over its first list. */
  #start(): Promise<void> {
    const start = async () => {
      const file = snapshotFileOf(this.#context, this.serviceName);
      const cache = openServiceCache(this.#context, this.serviceName, file);
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
    const { keys } = this.#context;
    const gone = (this.all ?? []).map(({ id }) => ({ key: keys.instance(this.serviceName, id) }));
    this.#known = true;
    this.#following = true;
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

  #noteLoss(): void {
    if (!this.#following || this.#cache === undefined) return;
    const { ageMs, revision } = this.#cache;
    this.#lost = { atMs: monotonicNow() - ageMs, revision };
    this.#following = false;
  }

  #publish(): void {
    this.#all = undefined;
    this.#healthy = undefined;
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
          this.#context.logger.warn('service has no instances left', { service: this.serviceName });
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
        this.#context.logger.error('a listener threw', { service: this.serviceName, error });
      }
    }
  }
}
