import { CoordError, ValidationError, type ValidationIssue } from './errors.js';
import type { WaitOptions } from './kv.js';

/** Problems found so far: check everything first, then `assertValid` once, so that all are reported. */
export type IssueList = ValidationIssue[];

/** @throws {ValidationError} when there is any issue */
export function assertValid(issues: IssueList): void {
  if (issues.length > 0) throw new ValidationError(issues);
}

/**
 * Runs what reads a caller's input: what throws by itself while it is read, as a getter or a proxy may, is bad input, too.
 * @throws {ValidationError}
 */
export function readInput<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (CoordError.is(error)) throw error;
    throw new ValidationError([{ path, message: unreadable(error) }], { cause: error });
  }
}

function unreadable(error: unknown): string {
  return `cannot be read${error instanceof Error ? `: ${error.message}` : ''}`;
}

/** setTimeout turns anything above 2^31−1 ms into 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export function checkPositiveMs(issues: IssueList, path: string, value: unknown): IssueList {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    issues.push({ path, message: `must be a positive number of milliseconds, got ${show(value)}` });
  } else if (value > MAX_TIMER_MS) {
    issues.push({ path, message: `must be at most ${MAX_TIMER_MS} milliseconds, got ${value}` });
  }
  return issues;
}

/** A lease's time to live. etcd counts whole seconds: rounding up is the caller's. */
export function checkTtlMs(issues: IssueList, path: string, value: unknown): IssueList {
  return checkPositiveMs(issues, path, value);
}

export function checkWaitOptions(issues: IssueList, options: WaitOptions | undefined): IssueList {
  if (options === undefined) return issues;
  try {
    return checkWaitFields(issues, options);
  } catch (error) {
    issues.push({ path: 'options', message: unreadable(error) });
    return issues;
  }
}

function checkWaitFields(issues: IssueList, options: WaitOptions): IssueList {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    issues.push({ path: 'options', message: `must be an object, got ${show(options)}` });
    return issues;
  }
  if (options.timeoutMs !== undefined) checkPositiveMs(issues, 'timeoutMs', options.timeoutMs);
  return checkSignal(issues, options.signal);
}

export function checkSignal(issues: IssueList, signal: unknown): IssueList {
  if (signal === undefined || isAbortSignal(signal)) return issues;
  issues.push({ path: 'signal', message: 'must be an AbortSignal' });
  return issues;
}

function isAbortSignal(signal: unknown): boolean {
  try {
    return signal instanceof AbortSignal && typeof signal.aborted === 'boolean'; // an imitation throws here
  } catch {
    return false;
  }
}

export function checkFlag(issues: IssueList, path: string, value: unknown): IssueList {
  if (value !== undefined && typeof value !== 'boolean') {
    issues.push({ path, message: `must be true or false, got ${show(value)}` });
  }
  return issues;
}

export const MAX_INT64 = 2n ** 63n - 1n;

/** Beyond 2^63−1, 64 bits turn negative; etcd before 3.4.38 and 3.5.24 then loses events of other watches. */
export function checkRevision(issues: IssueList, path: string, value: unknown): IssueList {
  if (typeof value !== 'bigint' || value < 0n || value > MAX_INT64) {
    issues.push({ path, message: `must be a bigint from 0n to ${MAX_INT64}n, got ${show(value)}` });
  }
  return issues;
}

const MAX_KEY_PART_BYTES = 512;

/** One segment of a key: a name between slashes that cannot leave its prefix. */
export function checkKeyPart(issues: IssueList, path: string, part: unknown): IssueList {
  const message = keyPartProblem(part);
  if (message !== undefined) issues.push({ path, message });
  return issues;
}

function keyPartProblem(part: unknown): string | undefined {
  if (typeof part !== 'string') return `must be a string, got ${show(part)}`;
  if (part === '') return 'must not be empty';
  if (!part.isWellFormed()) return 'is not well-formed Unicode (lone surrogate)';
  if (part === '.' || part === '..' || part === '@') return `must not be "${part}"`;
  if (part.includes('/')) return `must not contain "/", got ${show(part)}`;
  if (part.includes('\0')) return 'must not contain NUL';
  if (Buffer.byteLength(part) > MAX_KEY_PART_BYTES) return `must be at most ${MAX_KEY_PART_BYTES} bytes`;
  return undefined;
}

/** A value for an error message: short, quoted, control characters escaped. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  }
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
