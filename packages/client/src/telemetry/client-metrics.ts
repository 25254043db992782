import type { Meter } from '@opentelemetry/api';
import {
  type Counter,
  counter,
  type Histogram,
  histogram,
  type MetricDefinition,
  WAIT_SECONDS,
} from './metric-definition.js';
import { SharedGauge } from './shared-gauge.js';
import { WriteLag } from './write-lag.js';

export const BATCH_SIZE: MetricDefinition = {
  name: 'coord.kv.batch.size',
  unit: '{call}',
  description: 'How many calls went to etcd in one request',
  buckets: [1, 2, 4, 8, 16, 32, 64, 128],
};

export const SESSION_LOST: MetricDefinition = {
  name: 'coord.session.lost',
  unit: '{session}',
  description: 'Sessions that were lost before they were closed',
};

export const WATCH_LAG: MetricDefinition = {
  name: 'coord.watch.lag',
  unit: 's',
  description: 'From the answer to a write of this client until its live copy of the range shows it',
  buckets: WAIT_SECONDS,
};

export const WATCH_QUEUE_DURATION: MetricDefinition = {
  name: 'coord.watch.queue.duration',
  unit: 's',
  description: 'How long what a watch has received waits for its reader',
  buckets: WAIT_SECONDS,
};

export const CACHE_AGE: MetricDefinition = {
  name: 'coord.cache.age',
  unit: 's',
  description: 'For how long the oldest live copy has not followed etcd; 0 while all of them do',
};

/** What is measured of a client itself. */
export class ClientMetrics {
  readonly #meter: Meter;
  readonly #batchSize: Histogram;
  readonly #sessionLost: Counter;
  readonly #watchLag: Histogram;
  readonly #watchQueue: Histogram;

  constructor(meter: Meter) {
    this.#meter = meter;
    this.#batchSize = histogram(meter, BATCH_SIZE);
    this.#sessionLost = counter(meter, SESSION_LOST);
    this.#watchLag = histogram(meter, WATCH_LAG);
    this.#watchQueue = histogram(meter, WATCH_QUEUE_DURATION);
  }

  sent(calls: number): void {
    this.#batchSize.record(calls);
  }

  sessionLost(): void {
    this.#sessionLost.add(1);
  }

  /** Measures how far a live copy is behind. */
  writeLag(): WriteLag {
    return new WriteLag((ms) => this.#watchLag.record(ms / 1_000));
  }

  watchQueued(ms: number): void {
    this.#watchQueue.record(ms / 1_000);
  }

  /**
   * @param oldestMs the age of the oldest copy of this client
   * @returns the function that ends it
   */
  watchCacheAge(oldestMs: () => number): () => void {
    return SharedGauge.of(this.#meter, CACHE_AGE).add(() => oldestMs() / 1_000);
  }
}
