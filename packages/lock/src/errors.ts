import { ConflictError, CoordError, type CoordErrorOptions, TimeoutError } from '@coord/client';
import { describeHolder, type LockHolder } from './holder.js';

/** `tryAcquire` found the lock taken, or `acquire` would wait for a hold of its own caller (`isSelfDeadlock`). */
export class LockConflictError extends ConflictError {
  override readonly name: string = 'LockConflictError';
  /** Who holds it; absent when the holder left while we were looking. */
  readonly holder: LockHolder | undefined;

  /** Whether the lock is held by the function that asks for it: inside `withLock`, waiting would never end. */
  readonly isSelfDeadlock: boolean;

  constructor(key: string, holder: LockHolder | undefined, options: { isSelfDeadlock?: boolean } = {}) {
    const { isSelfDeadlock = false } = options;
    const by = holder === undefined ? '' : ` by ${describeHolder(holder)} (token ${holder.fencingToken})`;
    super(isSelfDeadlock ? selfDeadlock(key, holder) : `lock "${key}" is held${by}; ${RETRY}`, {
      key,
      code: 'COORD_LOCK_CONFLICT',
    });
    this.holder = holder;
    this.isSelfDeadlock = isSelfDeadlock;
  }
}

const RETRY = 'wait for it with acquire(), or try again later';

function selfDeadlock(key: string, holder: LockHolder | undefined): string {
  const token = holder === undefined ? '' : ` (token ${holder.fencingToken})`;
  return (
    `lock "${key}" is held by the function that asks for it${token}: it runs inside withLock("${key}"), so waiting ` +
    'would be a deadlock with itself; use the lock that withLock passes to it, or { allowNested: true } in a task ' +
    'that the function does not wait for'
  );
}

/** What a waiter knew of the queue when it gave up. */
export interface QueueView {
  readonly holder?: LockHolder | undefined;
  readonly ahead?: number | undefined;
}

/** The lock was not free within `timeoutMs`. */
export class LockTimeoutError extends TimeoutError {
  override readonly name: string = 'LockTimeoutError';
  /** The lock's name. */
  readonly key: string;
  /** Who held it when we last looked, if we ever could. */
  readonly holder: LockHolder | undefined;
  /** How many were ahead when we joined the queue, if we got that far. */
  readonly ahead: number | undefined;

  constructor(key: string, timeoutMs: number, view: QueueView & CoordErrorOptions = {}) {
    const by = view.holder === undefined ? '' : `; held by ${describeHolder(view.holder)}`;
    const ahead = view.ahead === undefined ? '' : `; ${view.ahead} ahead when it joined the queue`;
    const cause = view.cause instanceof Error ? `; last failure: ${view.cause.message}` : '';
    const why = `${by}${ahead}${cause}` || '; etcd has not answered';
    super(`lock "${key}": not acquired within ${timeoutMs} ms${why}`, {
      timeoutMs,
      code: 'COORD_LOCK_TIMEOUT',
      cause: view.cause,
    });
    this.key = key;
    this.holder = view.holder;
    this.ahead = view.ahead;
  }
}

/** The lock, or a waiter's place in its queue, is lost: its lease ran out or its key was deleted. */
export class LockExpiredError extends CoordError {
  override readonly name = 'LockExpiredError';
  /** The lock's name. */
  readonly key: string;
  /** The token of the hold that was lost; absent when it was lost while waiting. */
  readonly fencingToken: bigint | undefined;

  constructor(
    key: string,
    reason: string,
    options: CoordErrorOptions & { fencingToken?: bigint | undefined } = {},
  ) {
    super(
      'COORD_LOCK_EXPIRED',
      `lock "${key}" is lost: ${reason}; stop the work it protects and acquire it again`,
      options,
    );
    this.key = key;
    this.fencingToken = options.fencingToken;
  }
}

/** The call needs the lock, and this handle no longer holds it. */
export class LockNotHeldError extends CoordError {
  override readonly name = 'LockNotHeldError';
  /** The lock's name. */
  readonly key: string;
  readonly fencingToken: bigint;

  constructor(key: string, fencingToken: bigint, reason: string, options: CoordErrorOptions = {}) {
    super(
      'COORD_LOCK_NOT_HELD',
      `lock "${key}" (token ${fencingToken}) is not held: ${reason}; acquire it again`,
      options,
    );
    this.key = key;
    this.fencingToken = fencingToken;
  }
}
