import type { ILeaseKeepAliveResponse } from 'etcd3';
import { backoffDelayMs } from './backoff.js';
import { monotonicNow } from './clock.js';
import type { CoordLogger } from './logger.js';
import type { OpenStream, Transport } from './transport.js';

/** A moment on both clocks: the monotonic one measures, the wall clock notices a suspended machine. */
export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export function now(): Moment {
  return { monotonic: monotonicNow(), wall: Date.now() };
}

/** A lease to be kept alive. It is told synchronously and must not throw. */
export interface KeptLease {
  readonly leaseId: bigint;
  readonly ttlMs: number;
  /** A keepalive that was sent at this moment has been acknowledged with this TTL. */
  acknowledged(sentAt: Moment, ttlMs: number): void;
  /** etcd says that the lease does not exist. */
  gone(): void;
}

interface Kept {
  readonly lease: KeptLease;
  readonly id: string;
  /** Sent and not yet answered, oldest first: etcd answers a stream in order. */
  sent: Moment[];
  timer: NodeJS.Timeout | undefined;
}

const RECONNECT = { initialDelayMs: 50, maxDelayMs: 1_000, multiplier: 2 };
/** Keepalives a TTL. */
const BEATS_PER_TTL = 3;
/** A keepalive unanswered for this share of the TTL makes us try another stream, and endpoint. */
const SUSPECT_SHARE = 1 / 6;
const MIN_SUSPECT_MS = 250;

/** Keeps all leases of a client alive over one stream. */
export class LeaseKeeper {
  readonly #transport: Transport;
  readonly #logger: CoordLogger;
  readonly #leases = new Map<string, Kept>();
  #live: OpenStream<'leaseKeepAlive'> | undefined;
  #opening = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(transport: Transport, logger: CoordLogger) {
    this.#transport = transport;
    this.#logger = logger;
  }

  /** Keeps a lease alive until `remove`; the first keepalive goes out a third of its TTL after the grant. */
  add(lease: KeptLease): void {
    if (this.#closed) return;
    const kept: Kept = { lease, id: lease.leaseId.toString(), sent: [], timer: undefined };
    this.#leases.set(kept.id, kept);
    this.#schedule(kept, lease.ttlMs / BEATS_PER_TTL);
    this.#open();
  }

  remove(lease: KeptLease): void {
    const id = lease.leaseId.toString();
    clearTimeout(this.#leases.get(id)?.timer);
    this.#leases.delete(id);
    if (this.#leases.size === 0) this.#end();
  }

  /** Sends a keepalive now. */
  beat(lease: KeptLease): void {
    const kept = this.#leases.get(lease.leaseId.toString());
    if (kept) this.#beat(kept);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { timer } of this.#leases.values()) clearTimeout(timer);
    this.#leases.clear();
    this.#end();
  }

  #schedule(kept: Kept, ms: number): void {
    clearTimeout(kept.timer);
    kept.timer = setTimeout(() => this.#tick(kept), ms);
  }

  /** Each beat is followed by a look whether it was answered. */
  #tick(kept: Kept): void {
    const oldest = kept.sent[0];
    const suspectMs = suspectAfterMs(kept.lease.ttlMs);
    if (oldest && this.#live && monotonicNow() - oldest.monotonic >= suspectMs) {
      this.#suspect(this.#live, kept);
      return;
    }
    this.#beat(kept);
  }

  #beat(kept: Kept): void {
    const live = this.#live;
    if (!live) {
      this.#open(); // every lease gets its beat when the stream is there
      return;
    }
    kept.sent.push(now());
    live.stream.write({ ID: kept.id });
    this.#schedule(kept, suspectAfterMs(kept.lease.ttlMs));
  }

  #suspect(live: OpenStream<'leaseKeepAlive'>, kept: Kept): void {
    const reason = `keepalive of lease ${kept.lease.leaseId.toString(16)} unanswered`;
    this.#transport.pool.failed(live.endpoint, reason);
    this.#drop(live, new Error(reason));
  }

  #open(): void {
    if (this.#opening || this.#live || this.#timer || this.#closed || this.#leases.size === 0) return;
    this.#opening = true;
    this.#transport
      .openStream('leaseKeepAlive')
      .then((opened) => this.#opened(opened))
      .catch((error) => this.#retryLater(error))
      .finally(() => {
        this.#opening = false;
      });
  }

  #opened(opened: OpenStream<'leaseKeepAlive'>): void {
    const { stream } = opened;
    stream.on('data', (response) => {
      if (this.#live === opened) this.#receive(opened, response);
    });
    stream.on('error', (error) => this.#drop(opened, error));
    stream.on('end', () => this.#drop(opened, new Error('the server ended the stream')));
    if (this.#closed || this.#leases.size === 0) {
      stream.cancel();
      return;
    }
    this.#live = opened;
    for (const kept of this.#leases.values()) {
      kept.sent = [];
      this.#beat(kept);
    }
  }

  #receive(live: OpenStream<'leaseKeepAlive'>, response: ILeaseKeepAliveResponse): void {
    this.#failures = 0;
    this.#transport.pool.succeeded(live.endpoint);
    const kept = this.#leases.get(response.ID);
    const sentAt = kept?.sent.shift();
    if (!kept || !sentAt) return;
    const ttlMs = Number(response.TTL) * 1_000;
    if (ttlMs <= 0) {
      this.remove(kept.lease);
      kept.lease.gone();
      return;
    }
    if (kept.sent.length === 0) {
      const untilNext = sentAt.monotonic + ttlMs / BEATS_PER_TTL - monotonicNow();
      this.#schedule(kept, Math.max(0, untilNext));
    }
    kept.lease.acknowledged(sentAt, ttlMs);
  }

  #drop(live: OpenStream<'leaseKeepAlive'>, cause: unknown): void {
    if (this.#live !== live) return;
    this.#live = undefined;
    live.stream.cancel();
    const { error } = this.#transport.streamFailed('leaseKeepAlive', live, cause);
    this.#retryLater(error);
  }

  #retryLater(error: unknown): void {
    if (this.#closed || this.#leases.size === 0 || this.#timer) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn('keepalive stream lost, opening another', { leases: this.#leases.size, reason });
    const delayMs = this.#failures === 0 ? 0 : backoffDelayMs(this.#failures, RECONNECT);
    this.#failures++;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#open();
    }, delayMs);
  }

  #end(): void {
    const live = this.#live;
    this.#live = undefined;
    live?.stream.cancel();
  }
}

function suspectAfterMs(ttlMs: number): number {
  return Math.max(MIN_SUSPECT_MS, ttlMs * SUSPECT_SHARE);
}
