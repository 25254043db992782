import type { Etcd3 } from 'etcd3';
import type { CacheOptions, WatchCache } from './cache.js';
import type { Health } from './health.js';
import type { KV, WaitOptions } from './kv.js';
import type { Range } from './range.js';
import type { Session, SessionOptions } from './session.js';
import type { Watch, WatchOptions } from './watch.js';

/** Who answered a ping, and how fast. */
export interface PingResult {
  readonly latencyMs: number;
  readonly endpoint: string;
  /** The server's version, such as `3.5.16`. */
  readonly version: string;
}

/** A connection to an etcd cluster, and the four primitives that everything else is built of. */
export interface CoordClient extends AsyncDisposable {
  readonly kv: KV;
  /** Watches a range; see {@link Watch}. @throws {ValidationError} for a bad range or option */
  watch(range: Range, options?: WatchOptions): Watch;
  /** A live local copy of a range; see {@link WatchCache}. @throws {ValidationError} for a bad range */
  cache<T>(range: Range, options: CacheOptions<T>): WatchCache<T>;
  /** A lease of its own; see {@link Session}. */
  session(options?: SessionOptions): Promise<Session>;
  /** Asks the connected member for its status. @throws {ConnectionError} naming every endpoint tried */
  ping(options?: WaitOptions): Promise<PingResult>;
  readonly health: Health;
  /**
   * An escape hatch: a separate, lazily made etcd3 client over all endpoints. It ignores the
   * namespace and has none of Coord's guarantees. Its fault policies are no-ops: etcd3's own retry
   * applies writes twice, and its circuit breaker refuses every call after harmless errors.
   */
  readonly etcd3: Etcd3;
  /**
   * Ends every watch, cache and session (revoking leases), rejects pending calls, and disconnects.
   * Past `timeoutMs` (default 2,000), or when `signal` fires, it disconnects without waiting for the
   * revocations: those leases expire by their TTL. Never rejects, except for bad options.
   */
  close(options?: WaitOptions): Promise<void>;
}
