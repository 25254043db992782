import { ValidationError, type ValidationIssue } from './errors.js';
import type { WaitOptions } from './kv.js';

/** Problems found so far: check everything first, then `assertValid` once, so that all are reported. */
export type IssueList = ValidationIssue[];

/** @throws {ValidationError} when there is any issue */
export function assertValid(issues: IssueList): void {
  if (issues.length > 0) throw new ValidationError(issues);
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
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    issues.push({ path: 'options', message: `must be an object, got ${show(options)}` });
    return issues;
  }
  if (options.timeoutMs !== undefined) checkPositiveMs(issues, 'timeoutMs', options.timeoutMs);
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    issues.push({ path: 'signal', message: 'must be an AbortSignal' });
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
  return String(value);
}
