import { type Moment, now } from './lease-keeper.js';

/** The safety margin before the server's own expiry: a tenth of the TTL, at most a second. */
const MARGIN_SHARE = 0.1;
const MAX_MARGIN_MS = 1_000;

/** How long a lease is certainly ours: the send time of the last acknowledged keepalive + TTL − margin. */
export class LeaseDeadline {
  #sentAt: Moment;
  #ttlMs: number;

  /** @param sentAt when the grant was sent */
  constructor(sentAt: Moment, ttlMs: number) {
    this.#sentAt = sentAt;
    this.#ttlMs = ttlMs;
  }

  get ttlMs(): number {
    return this.#ttlMs;
  }

  acknowledged(sentAt: Moment, ttlMs: number): void {
    this.#sentAt = sentAt;
    this.#ttlMs = ttlMs;
  }

  /** Milliseconds until the server might give the lease away, by whichever clock says less. */
  get leftMs(): number {
    const usable = this.#ttlMs - Math.min(MAX_MARGIN_MS, this.#ttlMs * MARGIN_SHARE);
    const { monotonic, wall } = now();
    return usable - Math.max(monotonic - this.#sentAt.monotonic, wall - this.#sentAt.wall);
  }
}
