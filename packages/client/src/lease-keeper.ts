import type { ILeaseKeepAliveResponse } from 'etcd3';
import { monotonicNow } from './clock.js';
import type { CoordLogger } from './logger.js';
import { ReconnectingStream, type StreamUser } from './reconnecting-stream.js';
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
  /** The longest time between keepalives, if it is to be shorter than the TTL asks for. */
  readonly renewIntervalMs?: number | undefined;
  /** Whether it is still ours by its own clock. It removes itself when it is not. */
  readonly alive: boolean;
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
  /** When the timer should fire, on the monotonic clock. */
  dueAt: number;
}

const BACKOFF = { initialDelayMs: 50, maxDelayMs: 1_000, multiplier: 2 };
/** Keepalives a TTL. */
const BEATS_PER_TTL = 3;
/**
 * A keepalive unanswered for this share of the TTL makes us try another line: with beats at a third, there is
 * time for two tries before the deadline.
 */
const SUSPECT_SHARE = 1 / 4;
/** A timer this late tells of a busy event loop: the answer may be waiting unread. */
const STALLED_MS = 50;
const REREAD_MS = 50;

/** Keeps all leases of a client alive over one stream. */
export class LeaseKeeper implements StreamUser<'leaseKeepAlive'> {
  readonly #transport: Transport;
  readonly #stream: ReconnectingStream<'leaseKeepAlive'>;
  readonly #leases = new Map<string, Kept>();
  #closed = false;

  constructor(transport: Transport, logger: CoordLogger) {
    this.#transport = transport;
    this.#stream = new ReconnectingStream('leaseKeepAlive', { transport, logger, backoff: BACKOFF }, this);
  }

  get needed(): number {
    return this.#leases.size;
  }

  /** Keeps a lease alive until `remove`; the first keepalive goes out one period after the grant. */
  add(lease: KeptLease): void {
    if (this.#closed) return;
    const kept: Kept = { lease, id: lease.leaseId.toString(), sent: [], timer: undefined, dueAt: 0 };
    this.#leases.set(kept.id, kept);
    this.#schedule(kept, periodOf(lease, lease.ttlMs));
    this.#stream.open();
  }

  remove(lease: KeptLease): void {
    const id = lease.leaseId.toString();
    clearTimeout(this.#leases.get(id)?.timer);
    this.#leases.delete(id);
    if (this.#leases.size === 0) this.#stream.end();
  }

  /** Sends a keepalive now. */
  beat(lease: KeptLease): void {
    const kept = this.#leases.get(lease.leaseId.toString());
    if (kept) this.#beat(kept);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#leases.values()) clearTimeout(timer);
    this.#leases.clear();
    this.#stream.close();
  }

  opened(): void {
    for (const kept of [...this.#leases.values()]) {
      kept.sent = [];
      this.#beat(kept);
    }
  }

  received(response: ILeaseKeepAliveResponse): void {
    const kept = this.#leases.get(response.ID);
    const sentAt = kept?.sent.shift();
    if (!kept || !sentAt) return;
    const ttlMs = Number(response.TTL) * 1_000;
    if (ttlMs <= 0) {
      this.remove(kept.lease);
      kept.lease.gone();
      return;
    }
    const oldest = kept.sent[0];
    const dueAt = oldest
      ? oldest.monotonic + ttlMs * SUSPECT_SHARE
      : sentAt.monotonic + periodOf(kept.lease, ttlMs);
    this.#schedule(kept, Math.max(0, dueAt - monotonicNow()));
    kept.lease.acknowledged(sentAt, ttlMs);
  }

  /** The leases live on: their deadlines are their own, and the next stream begins with a beat for each. */
  lost(): void {}

  givesUp(): boolean {
    return false;
  }

  #schedule(kept: Kept, ms: number): void {
    clearTimeout(kept.timer);
    kept.dueAt = monotonicNow() + ms;
    kept.timer = setTimeout(() => this.#tick(kept), ms);
  }

  /** Each beat is followed by a look whether it was answered. */
  #tick(kept: Kept): void {
    const oldest = kept.sent[0];
    const { live } = this.#stream;
    if (oldest && live) {
      const late = monotonicNow() - kept.dueAt;
      if (late > STALLED_MS) this.#schedule(kept, REREAD_MS);
      else this.#suspect(live, kept, oldest);
      return;
    }
    this.#beat(kept);
  }

  #beat(kept: Kept): void {
    if (!kept.lease.alive) return; // after a suspend its time is up, and a keepalive must not revive it
    const { live } = this.#stream;
    if (!live) {
      this.#stream.open(); // every lease gets its beat when the stream is there
      return;
    }
    kept.sent.push(now());
    live.stream.write({ ID: kept.id });
    // Counted from the oldest: later ones, asked for by `keepAlive`, must not put off the suspicion.
    if (kept.sent.length === 1) this.#schedule(kept, kept.lease.ttlMs * SUSPECT_SHARE);
  }

  #suspect(live: OpenStream<'leaseKeepAlive'>, kept: Kept, oldest: Moment): void {
    const reason = `keepalive of lease ${kept.lease.leaseId.toString(16)} unanswered`;
    this.#transport.pool.unresponsive(live.endpoint, reason, oldest.monotonic);
    this.#stream.replace(reason);
  }
}

/** @param ttlMs as granted, which may be more than what was asked for */
function periodOf({ renewIntervalMs = Number.POSITIVE_INFINITY }: KeptLease, ttlMs: number): number {
  return Math.min(renewIntervalMs, ttlMs / BEATS_PER_TTL);
}
