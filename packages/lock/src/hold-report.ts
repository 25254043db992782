import { monotonicNow } from '@coord/client/internal';
import { LockExpiredError, LockNotHeldError } from './errors.js';
import type { LockSupport } from './lock-support.js';

/** What is said of a hold, in errors and in the log: always with the lock's name and the token. */
export class HoldReport {
  readonly #support: LockSupport;
  readonly #key: string;
  readonly #fencingToken: bigint;
  readonly #heldSince = monotonicNow();

  constructor(support: LockSupport, key: string, fencingToken: bigint) {
    this.#support = support;
    this.#key = key;
    this.#fencingToken = fencingToken;
  }

  /** For how long it has been held. */
  get heldMs(): number {
    return monotonicNow() - this.#heldSince;
  }

  expired(reason: string, cause?: unknown): LockExpiredError {
    return new LockExpiredError(this.#key, reason, { fencingToken: this.#fencingToken, cause });
  }

  notHeld(reason: string, cause: unknown): LockNotHeldError {
    return new LockNotHeldError(this.#key, this.#fencingToken, reason, { cause });
  }

  log(level: 'debug' | 'warn', message: string, fields: Record<string, unknown>): void {
    if (level === 'debug' && !this.#support.logger.debugs) return;
    this.#support.logger[level](message, {
      key: this.#key,
      fencingToken: this.#fencingToken.toString(),
      heldMs: Math.round(this.heldMs),
      ...fields,
    });
  }
}
