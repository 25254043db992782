import {
  type Counter,
  counter,
  type Histogram,
  histogram,
  type Meter,
  type MetricDefinition,
  upDownCounter,
  WAIT_SECONDS,
} from '@coord/client/internal';
import type { MeasuredKind } from './lock-operations.js';

export const LOCK_WAIT: MetricDefinition = {
  name: 'coord.lock.wait.duration',
  unit: 's',
  description: 'From asking for a lock until it is held, or until that is given up',
  buckets: WAIT_SECONDS,
};

export const LOCK_HOLD: MetricDefinition = {
  name: 'coord.lock.hold.duration',
  unit: 's',
  description: 'For how long locks were held',
  buckets: WAIT_SECONDS,
};

export const LOCK_CONTENDED: MetricDefinition = {
  name: 'coord.lock.contended',
  unit: '{acquisition}',
  description: 'Acquisitions that found somebody before them',
};

export const LOCK_WAITING: MetricDefinition = {
  name: 'coord.lock.waiting',
  unit: '{acquisition}',
  description: 'Acquisitions that are under way now',
};

export const LOCK_HELD: MetricDefinition = {
  name: 'coord.lock.held',
  unit: '{lock}',
  description: 'Locks that are held now',
};

/** How a hold ended. A converted one goes on as another. */
export type HoldEnd = 'released' | 'lost' | 'converted';

/** What is measured of locks. Names of locks are no attributes: nobody knows how many there are. */
export class LockMetrics {
  readonly #wait: Histogram;
  readonly #hold: Histogram;
  readonly #contended: Counter;
  readonly #waiting: Counter;
  readonly #held: Counter;

  constructor(meter: Meter) {
    this.#wait = histogram(meter, LOCK_WAIT);
    this.#hold = histogram(meter, LOCK_HOLD);
    this.#contended = counter(meter, LOCK_CONTENDED);
    this.#waiting = upDownCounter(meter, LOCK_WAITING);
    this.#held = upDownCounter(meter, LOCK_HELD);
  }

  asked(kind: MeasuredKind): void {
    this.#waiting.add(1, { 'coord.lock.kind': kind });
  }

  /** @param errorType why it was not acquired */
  answered(kind: MeasuredKind, ms: number, contended: boolean, errorType?: string): void {
    const attributes = { 'coord.lock.kind': kind };
    this.#waiting.add(-1, attributes);
    if (contended) this.#contended.add(1, attributes);
    this.#wait.record(ms / 1_000, {
      ...attributes,
      ...(errorType !== undefined && { 'error.type': errorType }),
    });
  }

  held(kind: MeasuredKind): void {
    this.#held.add(1, { 'coord.lock.kind': kind });
  }

  ended(kind: MeasuredKind, ms: number, end: HoldEnd): void {
    this.#held.add(-1, { 'coord.lock.kind': kind });
    this.#hold.record(ms / 1_000, { 'coord.lock.kind': kind, 'coord.lock.end': end });
  }
}
