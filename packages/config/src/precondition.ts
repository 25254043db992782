import { type IssueList, show } from '@coord/client/internal';
import { VersionConflictError } from './errors.js';
import { type KeyState, lastVersion } from './key-state.js';

/** What must hold for a write; with both, both. */
export interface Precondition {
  /** The key's present version. 0: there must be no value. */
  readonly version?: number | undefined;
  /** The etcd revision of the present value. 0n: there must be no value. Works for values by others too. */
  readonly revision?: bigint | undefined;
}

export function checkPrecondition(
  issues: IssueList,
  { version, revision }: Precondition,
  versioned: boolean,
): void {
  if (version !== undefined) {
    if (!Number.isSafeInteger(version) || version < 0) {
      issues.push({ path: 'version', message: `must be an integer from 0, got ${show(version)}` });
    } else if (!versioned) {
      issues.push({ path: 'version', message: 'needs enableVersioning; use revision instead' });
    }
  }
  if (revision !== undefined && (typeof revision !== 'bigint' || revision < 0n)) {
    issues.push({ path: 'revision', message: `must be a bigint from 0n, got ${show(revision)}` });
  }
}

/** @throws {VersionConflictError} */
export function assertPrecondition(key: string, state: KeyState, { version, revision }: Precondition): void {
  const actualRevision = state.raw?.modRevision ?? 0n;
  if (revision !== undefined && revision !== actualRevision) {
    throw new VersionConflictError(key, {
      expected: revision,
      actual: actualRevision,
      external: state.external,
    });
  }
  if (version === undefined) return;
  const external = state.raw !== undefined && state.external;
  const actual = state.raw === undefined ? 0 : lastVersion(state);
  if (external || version !== actual)
    throw new VersionConflictError(key, { expected: version, actual, external });
}
