import { CoordError, ValidationError, type ValidationIssue } from './errors.js';
import type { WaitOptions } from './kv.js';
import { checkNames, type NamesOf, type OptionNames } from './option-names.js';
import { unreadable } from './unreadable.js';

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

export const WAIT_NAMES = { signal: true, timeoutMs: true } satisfies NamesOf<WaitOptions>;

/** @param names all that there are; false where they have been checked already */
export function checkWaitOptions(
  issues: IssueList,
  options: WaitOptions | undefined,
  names: OptionNames | false = WAIT_NAMES,
): IssueList {
  if (options === undefined) return issues;
  try {
    if (!checkOptionsObject(issues, options)) return issues;
    if (names) checkNames(issues, options, names);
    return checkWaitFields(issues, options);
  } catch (error) {
    issues.push({ path: 'options', message: unreadable(error) });
    return issues;
  }
}

/** The same for options whose names have been checked. */
export function checkWaitFields(issues: IssueList, options: WaitOptions): IssueList {
  if (options.timeoutMs !== undefined) checkPositiveMs(issues, 'timeoutMs', options.timeoutMs);
  return checkSignal(issues, options.signal);
}

/** @returns whether it can have options at all */
function checkOptionsObject(issues: IssueList, options: unknown, path = 'options'): options is object {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return true;
  issues.push({ path, message: `must be an object, got ${show(options)}` });
  return false;
}

/**
 * The caller's options, each read once: what is used is what was checked, whatever his getters answer later on.
 * @param path where they are, if they are not the options of the call
 * @returns only those that have a value; none, with an issue, for what is no object of options
 */
export function readOptions<T extends object>(
  issues: IssueList,
  given: T | undefined,
  names: NamesOf<T>,
  path?: string,
): T {
  const copy: Partial<T> = {};
  if (given === undefined) return copy as T;
  try {
    if (!checkOptionsObject(issues, given, path)) return copy as T;
    checkNames(issues, given, names, path && `${path}.`);
    for (const name in names) {
      const value = given[name];
      if (value !== undefined) copy[name] = value;
    }
  } catch (error) {
    issues.push({ path: path ?? 'options', message: unreadable(error) });
  }
  return copy as T;
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

export function checkFunction(issues: IssueList, path: string, value: unknown): IssueList {
  if (typeof value !== 'function') issues.push({ path, message: `must be a function, got ${show(value)}` });
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
  if (typeof value === 'object' && value !== null) return isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/** Also of a proxy that has been revoked, which may not even be asked. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
