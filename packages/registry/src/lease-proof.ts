import type { Session } from '@coord/client';
import { backoffDelayMs, delay } from '@coord/client/internal';
import { RETRY } from './retry.js';

/** Between two proofs that the lease lives: longer than one etcd member trails another. */
const INTERVAL_MS = 500;

export interface LeaseProofOptions {
  readonly signal: AbortSignal;
  /** For each question to etcd. */
  readonly timeoutMs: number;
}

/** Asks etcd until it knows. @returns whether the session's lease lives @throws {AbortedError} when the signal fires */
export async function isLeaseAlive(session: Session, options: LeaseProofOptions): Promise<boolean> {
  const { signal } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      await session.keepAlive(options);
      // Twice: an etcd member may tell of a delete before another one knows of the lease's end.
      await delay(INTERVAL_MS, signal);
      await session.keepAlive(options);
      return true;
    } catch {
      if (session.state !== 'alive') return false;
      await delay(backoffDelayMs(attempt, RETRY), signal);
    }
  }
}
