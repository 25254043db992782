import { setTimeout as sleep } from 'node:timers/promises';
import {
  AuthError,
  ClosedError,
  ConflictError,
  PermissionError,
  ResourceExhaustedError,
  ValidationError,
} from '@coord/client';
import { type Backoff, backoffDelayMs } from '@coord/client/internal';

/**
 * Between attempts to get into etcd, or out of it: for ever, and not all clients at once. At most two seconds,
 * so that everybody is back within five of etcd's return.
 */
export const RETRY: Backoff = { initialDelayMs: 100, maxDelayMs: 2_000, multiplier: 2 };

/** Between two attempts in the background. It does not keep the process alive: the lease's end is the last resort. */
export function pauseInBackground(attempt: number): Promise<void> {
  return sleep(backoffDelayMs(attempt, RETRY), undefined, { ref: false });
}

/** Answers that another attempt would not change. */
export function isRefusal(error: unknown): boolean {
  return [
    ValidationError,
    PermissionError,
    AuthError,
    ResourceExhaustedError,
    ClosedError,
    ConflictError,
  ].some((refusal) => error instanceof refusal);
}
