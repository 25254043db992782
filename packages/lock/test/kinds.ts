import type { CoordClient } from '@coord/client';
import type { AcquireOptions, DistributedLock, Lock } from '../src/index.js';

/** One kind of lock, for the promises that all of them make. */
export interface Kind {
  readonly what: string;
  acquire(locks: DistributedLock, name: string, options?: AcquireOptions): Promise<Lock>;
  tryAcquire?(locks: DistributedLock, name: string, options?: AcquireOptions): Promise<Lock>;
  /** Takes what keeps `acquire` waiting. */
  block(locks: DistributedLock, name: string): Promise<Lock>;
  /** Where its keys are. */
  folders(name: string): string[];
  /** How many keys one acquisition writes. */
  readonly keys: number;
}

const readWriteFolders = (name: string) => [`/coord/locks/rw/${name}/`];
const PERMITS = { permits: 3 };

export const kinds: readonly Kind[] = [
  {
    what: 'a read lock',
    acquire: (locks, name, options) => locks.acquireReadLock(name, options),
    tryAcquire: (locks, name, options) => locks.tryAcquireReadLock(name, options),
    block: (locks, name) => locks.acquireWriteLock(name),
    folders: readWriteFolders,
    keys: 1,
  },
  {
    what: 'a write lock',
    acquire: (locks, name, options) => locks.acquireWriteLock(name, options),
    tryAcquire: (locks, name, options) => locks.tryAcquireWriteLock(name, options),
    block: (locks, name) => locks.acquireReadLock(name),
    folders: readWriteFolders,
    keys: 2,
  },
  {
    what: 'a lock of several names',
    acquire: (locks, name, options) => locks.acquireAll([name, `${name}-b`], options),
    tryAcquire: (locks, name, options) => locks.tryAcquireAll([name, `${name}-b`], options),
    block: (locks, name) => locks.acquire(`${name}-b`),
    folders: (name) => [`/locks/${name}/`, `/locks/${name}-b/`],
    keys: 2,
  },
  {
    what: "a semaphore's permit",
    acquire: (locks, name, options) => locks.semaphore(name, PERMITS).acquire(2, options),
    tryAcquire: (locks, name, options) => locks.semaphore(name, PERMITS).tryAcquire(2, options),
    block: (locks, name) => locks.semaphore(name, PERMITS).acquire(2),
    folders: (name) => [`/coord/locks/sem/${name}/q/`],
    keys: 1,
  },
  {
    what: 'a reentrant lock',
    acquire: (locks, name, options) => locks.acquireReentrant(name, { owner: 'me', ...options }),
    block: (locks, name) => locks.acquire(name),
    folders: (name) => [`/locks/${name}/`],
    keys: 1,
  },
];

/** The keys of all who hold the lock or wait for it, the oldest first. */
export async function keysOf(client: CoordClient, kind: Kind, name: string) {
  const ranges = await Promise.all(kind.folders(name).map((prefix) => client.kv.range({ prefix })));
  return ranges.flatMap(({ kvs }) => kvs).sort((a, b) => Number(a.createRevision - b.createRevision));
}
