import type { KeyValue } from '@coord/client';
import { type ContenderKey, holderOf, withJson } from './holder.js';
import type { LockQueue, PermitHolder, ReadWriteHolder } from './lock-inspection.js';
import { weightOf } from './semaphore-state.js';

/** The mutex: the oldest contender holds it. */
export function mutexQueue(contenders: readonly KeyValue[]): LockQueue {
  const [holder, ...waiters] = oldestFirst(contenders).map(holderOf);
  return { holders: holder === undefined ? [] : [holder], waiters };
}

/**
 * The read/write lock: the readers before the first writer hold it, or else that writer alone.
 * @param queue all who ask, each with the last part of its key as its id
 * @param writers those of them who write
 */
export function readWriteQueue(
  queue: readonly KeyValue[],
  writers: readonly KeyValue[],
): LockQueue<ReadWriteHolder> {
  const writing = new Map(writers.map((kv) => [idOf(kv), kv.createRevision]));
  const all = oldestFirst(queue).map((kv): ReadWriteHolder => {
    const writesSince = writing.get(idOf(kv));
    // A reader that became a writer has the token of its write key.
    const fencingToken = writesSince ?? kv.createRevision;
    return withJson({ ...holderOf(kv), fencingToken, mode: writesSince === undefined ? 'read' : 'write' });
  });
  const firstWriter = all.findIndex(({ mode }) => mode === 'write');
  const holding = firstWriter === 0 ? 1 : firstWriter < 0 ? all.length : firstWriter;
  return { holders: all.slice(0, holding), waiters: all.slice(holding) };
}

/** The semaphore: permits go to the oldest requests, as long as there are enough for each and all before it. */
export function permitQueue(
  requests: readonly KeyValue[],
  permits: number | undefined,
): LockQueue<PermitHolder> {
  const all = oldestFirst(requests).map(
    (kv): PermitHolder => withJson({ ...holderOf(kv), weight: weightOf(kv.key) }),
  );
  let taken = 0;
  let holding = 0;
  for (const { weight } of all) {
    taken += weight;
    if (taken > (permits ?? 0)) break;
    holding += 1;
  }
  return { holders: all.slice(0, holding), waiters: all.slice(holding) };
}

function oldestFirst<K extends ContenderKey>(keys: readonly K[]): K[] {
  return [...keys].sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
}

function idOf({ key }: Pick<KeyValue, 'key'>): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
