import type { CoordClient, WaitOptions } from '@coord/client';
import {
  type Backoff,
  type CoordLogger,
  internalsOf,
  type Observer,
  type SessionRef,
} from '@coord/client/internal';
import { Background } from './background.js';
import { LockMetrics } from './lock-metrics.js';
import type { ResolvedLockConfig } from './options.js';
import { QueueWatches } from './queue-watch.js';

/** What it takes to write to the queues. */
export interface KvSupport {
  readonly client: Pick<CoordClient, 'kv'>;
  readonly requestTimeoutMs: number;
}

/** What all locks of one `createLocks` share. */
export interface LockSupport extends KvSupport {
  readonly client: CoordClient;
  readonly logger: CoordLogger;
  readonly observer: Observer;
  /** Absent where nothing is measured. */
  readonly metrics: LockMetrics | undefined;
  readonly backoff: Backoff;
  readonly background: Background;
  readonly queueWatches: QueueWatches;
  borrowSession(ttlMs: number, options?: Pick<WaitOptions, 'signal'>): Promise<SessionRef>;
  /** The same at once, where the session is open: so it is for nearly every lock. */
  borrowOpenSession(ttlMs: number): SessionRef | undefined;
}

export function createLockSupport(
  client: CoordClient,
  { renewIntervalMs }: Pick<ResolvedLockConfig, 'renewIntervalMs'>,
): LockSupport {
  const internals = internalsOf(client);
  const { retry: backoff, requestTimeoutMs } = internals.options;
  const { operations, meter } = internals.telemetry;
  return {
    client,
    logger: internals.logger,
    observer: operations,
    metrics: meter && new LockMetrics(meter),
    backoff,
    requestTimeoutMs,
    background: new Background(internals.logger, backoff),
    queueWatches: new QueueWatches(client),
    borrowSession: (ttlMs, options) =>
      internals.borrowSession('lock', ttlMs, {
        renewIntervalMs,
        // Made only if there is something to wait for.
        get signal() {
          return options?.signal;
        },
      }),
    borrowOpenSession: (ttlMs) => internals.borrowOpenSession('lock', ttlMs, renewIntervalMs),
  };
}
