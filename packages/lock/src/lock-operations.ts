import type { Operation } from '@coord/client/internal';

/** What a lock is, as it is measured: `read` and `write` are the two sides of a read/write lock. */
export type MeasuredKind = 'mutex' | 'read' | 'write' | 'multi' | 'semaphore';

/** What is traced, measured and logged of locks. */
export const ACQUIRE = ofEachKind('coord.lock.acquire');
export const TRY_ACQUIRE = ofEachKind('coord.lock.tryAcquire');
export const ACQUIRE_REENTRANT: Operation = { name: 'coord.lock.acquireReentrant' };
export const RELEASE = ofEachKind('coord.lock.release');
export const RENEW = ofEachKind('coord.lock.renew');
export const TRY_UPGRADE: Operation = { name: 'coord.lock.tryUpgrade' };
export const DOWNGRADE: Operation = { name: 'coord.lock.downgrade' };
/** All that happens within it: traced only. */
export const WITH_LOCK: Operation = { name: 'coord.lock.withLock' };
export const INSPECT: Operation = { name: 'coord.lock.inspect' };
export const LIST: Operation = { name: 'coord.lock.list' };
export const FORCE_RELEASE: Operation = { name: 'coord.lock.forceRelease' };
export const SET_PERMITS: Operation = { name: 'coord.lock.setPermits' };

function ofEachKind(name: Operation['name']): Readonly<Record<MeasuredKind, Operation>> {
  const of = (kind: MeasuredKind): Operation => ({ name, attributes: { 'coord.lock.kind': kind } });
  return {
    mutex: of('mutex'),
    read: of('read'),
    write: of('write'),
    multi: of('multi'),
    semaphore: of('semaphore'),
  };
}
