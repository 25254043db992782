/** What went wrong, as a stable string. */
export type TestkitErrorCode =
  | 'COORD_TESTKIT_ABORTED'
  | 'COORD_TESTKIT_CHECKSUM_MISMATCH'
  | 'COORD_TESTKIT_COMMAND_FAILED'
  | 'COORD_TESTKIT_CONTAINER_UNAVAILABLE'
  | 'COORD_TESTKIT_DOWNLOAD_FAILED'
  | 'COORD_TESTKIT_ETCD_NOT_FOUND'
  | 'COORD_TESTKIT_INVALID_ARGUMENT'
  | 'COORD_TESTKIT_INVALID_STATE'
  | 'COORD_TESTKIT_START_FAILED'
  | 'COORD_TESTKIT_TIMEOUT'
  | 'COORD_TESTKIT_UNSUPPORTED';

const BRAND = Symbol.for('@coord/testkit/error');

/**
 * The base of every error of this package. The message ends with the remedy; `remedy` holds it alone.
 *
 * @example
 * ```ts
 * import { startEtcd, TestkitError } from '@coord/testkit';
 *
 * try {
 *   await using server = await startEtcd({ version: '3.5' });
 * } catch (error) {
 *   if (TestkitError.is(error)) console.error(error.code, error.remedy);
 * }
 * ```
 */
export class TestkitError extends Error {
  override readonly name: string = 'TestkitError';
  readonly code: TestkitErrorCode;
  /** What to do about it. */
  readonly remedy: string;
  /** @internal */
  readonly [BRAND] = true;

  constructor(code: TestkitErrorCode, problem: string, remedy: string, options?: ErrorOptions) {
    super(`${problem}; ${remedy}`, options);
    this.code = code;
    this.remedy = remedy;
  }

  /** Tells an error of this package, also one of a second installed copy. */
  static is(error: unknown): error is TestkitError {
    return error instanceof Error && BRAND in error;
  }
}

/** etcd ended, or did not answer in time, while it was being started. */
export class EtcdStartError extends TestkitError {
  override readonly name = 'EtcdStartError';
  /** The last lines that etcd wrote. */
  readonly log: string;

  constructor(problem: string, remedy: string, log: string, options?: ErrorOptions) {
    super('COORD_TESTKIT_START_FAILED', log === '' ? problem : `${problem}:\n${log}\n`, remedy, options);
    this.log = log;
  }
}

/** No etcd of the wanted version is at hand, and none could be put into the cache. */
export class EtcdNotFoundError extends TestkitError {
  override readonly name = 'EtcdNotFoundError';
  /** The version that was asked for, if one was. */
  readonly version: string | undefined;

  constructor(problem: string, remedy: string, version: string | undefined, options?: ErrorOptions) {
    super('COORD_TESTKIT_ETCD_NOT_FOUND', problem, remedy, options);
    this.version = version;
  }
}

/** A downloaded file is not the one that was published. It has been removed. */
export class ChecksumMismatchError extends TestkitError {
  override readonly name = 'ChecksumMismatchError';
  readonly url: string;
  /** SHA-256 in hexadecimal. */
  readonly expected: string;
  /** SHA-256 in hexadecimal. */
  readonly actual: string;

  constructor(url: string, expected: string, actual: string) {
    super(
      'COORD_TESTKIT_CHECKSUM_MISMATCH',
      `${url} has SHA-256 ${actual}, expected ${expected}; nothing was kept`,
      'check what stands between you and the server, then try again, or set COORD_ETCD_BIN to an etcd you trust',
    );
    this.url = url;
    this.expected = expected;
    this.actual = actual;
  }
}

/** @internal Throws the error for an aborted call. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}

/** @internal */
export function abortedError(signal: AbortSignal): TestkitError {
  return new TestkitError('COORD_TESTKIT_ABORTED', 'aborted by its signal', 'nothing was left behind', {
    cause: signal.reason,
  });
}
