import { ValidationError, type ValidationIssue } from '@coord/client';
import type { RejectionPhase } from './config-manager-types.js';

/** Why a candidate does not become the configuration. */
export class Rejection extends Error {
  readonly phase: RejectionPhase;
  readonly issues: readonly ValidationIssue[];

  constructor(phase: RejectionPhase, cause: unknown) {
    super(`refused by ${phase}`, { cause });
    this.phase = phase;
    this.issues = cause instanceof ValidationError ? cause.issues : [{ path: '', message: messageOf(cause) }];
  }

  /** Whether trying the same value again may help: an updater may have met a passing failure. */
  get retryable(): boolean {
    const { cause } = this;
    if (this.phase !== 'update') return false;
    return !(
      typeof cause === 'object' &&
      cause !== null &&
      'retryable' in cause &&
      cause.retryable === false
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a caller of `reload` or `start` gets to see. */
export function validationError(
  where: string,
  { issues }: { readonly issues: readonly ValidationIssue[] },
): ValidationError {
  return new ValidationError(issues.map(({ path, message }) => ({ path: path || where, message })));
}
