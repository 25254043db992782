import { Etcd3 } from 'etcd3';
import { type CacheOptions, readCacheOptions, type WatchCache } from './cache.js';
import { CacheView } from './cache-view.js';
import type { CoordClient, PingResult } from './client.js';
import { monotonicNow } from './clock.js';
import { ClusterIdentity } from './cluster-identity.js';
import { Coalescer } from './coalescing/coalescer.js';
import { etcd3Options } from './etcd-channel.js';
import type { Health } from './health.js';
import { type BorrowOptions, type ClientInternals, INTERNALS, type SessionRef } from './internals.js';
import type { KV, WaitOptions } from './kv.js';
import { KvClient } from './kv-client.js';
import { LeaseKeeper } from './lease-keeper.js';
import { LeaseSession, type OpenOptions } from './lease-session.js';
import { type CoordLogger, createCoordLogger } from './logger.js';
import { notPrinted } from './not-printed.js';
import type { ResolvedClientOptions } from './options.js';
import type { Range } from './range.js';
import { RangeCachePool } from './range-cache-pool.js';
import type { Session, SessionOptions } from './session.js';
import { SessionPool } from './session-pool.js';
import { Slots } from './slots.js';
import type { ClientMetrics } from './telemetry/client-metrics.js';
import { ObservedKv } from './telemetry/observed-kv.js';
import { createTelemetry } from './telemetry/telemetry.js';
import { readCredentials } from './tls.js';
import { Transport } from './transport.js';
import { TxnCodec } from './txn-codec.js';
import {
  assertValid,
  checkWaitFields,
  checkWaitOptions,
  type IssueList,
  readOptions,
  WAIT_NAMES,
} from './validation.js';
import { Wait } from './wait.js';
import type { Watch, WatchOptions } from './watch.js';
import { WatchHub } from './watch-hub.js';
import { WatchIterator } from './watch-iterator.js';
import { WatchMux } from './watch-mux.js';
import type { SubscriptionContext } from './watch-subscription.js';

const CLOSE_TIMEOUT_MS = 2_000;
/** After a compaction, thousands of watches may have to list their ranges. */
const LISTS_AT_ONCE = 32;

/** Wires the four primitives over one transport, and ends them in the right order. */
export class EtcdClient implements CoordClient {
  readonly kv: KV;
  readonly #options: ResolvedClientOptions;
  readonly #internals: ClientInternals;
  readonly #logger: CoordLogger;
  readonly #metrics: ClientMetrics | undefined;
  readonly #transport: Transport;
  readonly #coalescer: Coalescer;
  readonly #keeper: LeaseKeeper;
  readonly #mux: WatchMux;
  readonly #subscriptions: SubscriptionContext;
  readonly #caches: RangeCachePool;
  readonly #pool: SessionPool;
  readonly #sessions = new Set<LeaseSession>();
  readonly #watches = new Set<WatchIterator>();
  #etcd3: Etcd3 | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedClientOptions) {
    this.#options = options;
    this.#logger = createCoordLogger(options.logger, options.logLevel);
    this.#transport = new Transport(options, this.#logger);
    const telemetry = createTelemetry(options, this.#logger, () => this.#transport.pool.endpoint);
    this.#metrics = telemetry.metrics;
    const codec = new TxnCodec(options.namespace);
    const { pool } = this.#transport;
    this.#coalescer = new Coalescer({
      send: (...call) => this.#transport.unary(...call),
      requestTimeoutMs: options.requestTimeoutMs,
      rules: () => pool.capabilities(pool.current),
      onSent: this.#metrics && ((calls) => this.#metrics?.sent(calls)),
    });
    const kv = new KvClient(this.#coalescer, codec, (range, revision) =>
      this.#caches.noteWrite(range, revision),
    );
    this.kv = telemetry.calls === undefined ? kv : new ObservedKv(kv, telemetry.calls);
    this.#keeper = new LeaseKeeper(this.#transport, this.#logger);
    this.#mux = new WatchMux(this.#transport, this.#logger, {
      quietMs: options.keepAliveTimeMs / 5,
      answerMs: options.keepAliveTimeoutMs,
    });
    this.#subscriptions = {
      hub: new WatchHub(this.#mux, codec, this.#logger),
      kv,
      codec,
      logger: this.#logger,
      metrics: this.#metrics,
      lists: new Slots(LISTS_AT_ONCE),
      usesToken: options.credentials !== undefined,
    };
    const cluster = new ClusterIdentity(async () => {
      const { header } = await this.#transport.unary('status', () => ({}), 'read');
      return BigInt(header.cluster_id).toString(16);
    });
    this.#caches = new RangeCachePool({ ...this.#subscriptions, cluster }, options.namespace);
    this.#pool = new SessionPool((options) => this.#openSession(options));
    this.#internals = {
      options,
      logger: this.#logger,
      telemetry,
      borrowSession: (kind, ttlMs, wait) => this.#borrowSession(kind, ttlMs, wait),
      borrowOpenSession: (kind, ttlMs, renewIntervalMs) =>
        this.#closing ? undefined : this.#pool.borrowOpen(kind, ttlMs, renewIntervalMs),
    };
  }

  /** Waits until an endpoint answers. @throws {ConnectionError} naming every endpoint tried */
  async dial(options: WaitOptions): Promise<void> {
    assertValid(checkWaitOptions([], options));
    const timeoutMs = options.timeoutMs ?? this.#options.dialTimeoutMs;
    using wait = new Wait({ signal: options.signal }, 'connect to etcd');
    await wait.race(this.#transport.dial(timeoutMs, wait.signal));
  }

  watch(range: Range, options: WatchOptions = {}): Watch {
    this.#assertOpen('watch');
    const watch: WatchIterator = new WatchIterator(range, options, this.#subscriptions, () =>
      this.#watches.delete(watch),
    );
    this.#watches.add(watch);
    return watch;
  }

  cache<T>(range: Range, given: CacheOptions<T>): WatchCache<T> {
    this.#assertOpen('cache');
    const options = readCacheOptions(given);
    const { cache, release } = this.#caches.acquire(range, options.snapshotFile);
    return new CacheView(cache, release, options, this.#logger, this.#options.requestTimeoutMs);
  }

  async session(options: SessionOptions = {}): Promise<Session> {
    return await this.#openSession(options);
  }

  async ping(given?: WaitOptions): Promise<PingResult> {
    const issues: IssueList = [];
    const options = readOptions(issues, given, WAIT_NAMES);
    assertValid(checkWaitFields(issues, options));
    const startedAt = monotonicNow();
    const status = await this.#transport.unary('status', () => ({}), 'read', options);
    return {
      latencyMs: monotonicNow() - startedAt,
      endpoint: this.#transport.pool.endpoint,
      version: status.version,
    };
  }

  /** No property of its own: whoever prints the client would print the password. */
  get [INTERNALS](): ClientInternals {
    return this.#internals;
  }

  get health(): Health {
    return this.#transport.pool;
  }

  get etcd3(): Etcd3 {
    if (this.#etcd3 === undefined) {
      this.#assertOpen('etcd3');
      const login = this.#options.credentials;
      const credentials = readCredentials(this.#options.tls);
      const etcd3 = new Etcd3({
        ...etcd3Options([...this.#options.endpoints], this.#options),
        ...(credentials ? { credentials } : {}),
        ...(login ? { auth: { ...login } } : {}),
      });
      this.#etcd3 = notPrinted(etcd3, 'Etcd3');
    }
    return this.#etcd3;
  }

  async close(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options)); // refused options must not leave a client that is half closed
    this.#closing ??= this.#close(options);
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(options: WaitOptions): Promise<void> {
    for (const watch of [...this.#watches]) await watch.close();
    const saved = this.#caches.close();
    await Promise.all([this.#closeSessions(options), within(options, saved)]);
    this.#mux.close();
    this.#keeper.close();
    this.#coalescer.close();
    this.#transport.close();
    this.#etcd3?.close();
  }

  /** Revokes the leases, within the deadline: then they expire by themselves. An abort ends the wait, not the close. */
  async #closeSessions({ signal, timeoutMs = CLOSE_TIMEOUT_MS }: WaitOptions): Promise<void> {
    if (!signal?.aborted) {
      using wait = new Wait({ signal, timeoutMs }, 'close');
      const bounded = { signal: wait.signal, timeoutMs };
      const closing = [this.#pool.close(bounded), ...[...this.#sessions].map((each) => each.close(bounded))];
      await wait.race(Promise.allSettled(closing)).catch(() => undefined);
    }
    for (const session of [...this.#sessions]) session.orphan();
  }

  async #borrowSession(kind: string, ttlMs: number, options?: BorrowOptions): Promise<SessionRef> {
    this.#assertOpen('session');
    return await this.#pool.borrow(kind, ttlMs, options);
  }

  async #openSession(options: OpenOptions): Promise<LeaseSession> {
    this.#assertOpen('session');
    const session = await LeaseSession.open(options, {
      transport: this.#transport,
      keeper: this.#keeper,
      logger: this.#logger,
      metrics: this.#metrics,
      onEnded: (ended) => this.#sessions.delete(ended),
    });
    if (this.#closing) {
      await session.close().catch(() => undefined);
      throw this.#transport.closedError('session');
    }
    if (session.state === 'alive') this.#sessions.add(session);
    return session;
  }

  #assertOpen(what: string): void {
    if (this.#closing) throw this.#transport.closedError(what);
  }
}

/** The promise's end or that of the time for closing, whichever comes first. */
async function within(
  { signal, timeoutMs = CLOSE_TIMEOUT_MS }: WaitOptions,
  promise: Promise<unknown>,
): Promise<void> {
  if (signal?.aborted) return;
  using wait = new Wait({ signal, timeoutMs }, 'close');
  await wait.race(promise).catch(() => undefined);
}
