import { ConflictError, type CoordErrorOptions } from '@coord/client';

/**
 * The key is not at the version or revision that the write required; nothing was written.
 * Read it again, decide again, write again.
 */
export class VersionConflictError extends ConflictError {
  override readonly name = 'VersionConflictError';
  /** What the caller required: a version (number), or an etcd revision (bigint). */
  readonly expected: number | bigint;
  /** What is there, of the same kind as `expected`; 0 = absent. */
  readonly actual: number | bigint;
  /** The present value was written by others: it has no version of its own, so no number matches it. */
  readonly external: boolean;

  constructor(
    key: string,
    state: { expected: number | bigint; actual: number | bigint; external: boolean },
    options: CoordErrorOptions = {},
  ) {
    super(message(key, state), { ...options, key, code: 'COORD_VERSION_CONFLICT' });
    this.expected = state.expected;
    this.actual = state.actual;
    this.external = state.external;
  }
}

function message(
  key: string,
  { expected, actual, external }: { expected: number | bigint; actual: number | bigint; external: boolean },
): string {
  const unit = typeof expected === 'bigint' ? 'revision' : 'version';
  const found =
    external && unit === 'version'
      ? `a value that was written outside of Coord after version ${actual}`
      : actual;
  return `config "${key}": expected ${unit} ${expected}, found ${found}; read it again and retry`;
}
