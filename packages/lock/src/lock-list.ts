import type { KeyValue, KV, WaitOptions } from '@coord/client';
import type { ListedLock, LockKind, LockQueue } from './lock-inspection.js';
import { escapeName, type QueueLayout, readWriteRoot, semaphoreRoot, unescapeName } from './lock-key.js';
import { mutexQueue, permitQueue, readWriteQueue } from './queue-view.js';
import { permitsOf } from './semaphore-state.js';

/** Where the locks of a kind are, and how to read what is there. */
interface Section {
  readonly kind: LockKind;
  readonly root: string;
  /** The part of its key before this slash is a lock's name. */
  readonly nameEnd: (rest: string) => number;
  readonly escaped: boolean;
  readonly toQueue: (keys: readonly KeyValue[]) => LockQueue;
}

/** Every lock whose name begins with this and that somebody holds or waits for; by kind, then by name. */
export async function listLocks(
  kv: KV,
  layout: QueueLayout,
  prefix: string,
  options?: WaitOptions,
): Promise<ListedLock[]> {
  const locks: ListedLock[] = [];
  for (const section of sectionsOf(layout)) {
    const names = await readNames(kv, section, prefix, options);
    for (const [name, keys] of names) {
      const queue = section.toQueue(keys);
      if (queue.holders.length + queue.waiters.length > 0) locks.push({ name, kind: section.kind, ...queue });
    }
  }
  return locks;
}

function sectionsOf({ keyPrefix, rawNames }: QueueLayout): readonly Section[] {
  const firstSlash = (rest: string) => rest.indexOf('/');
  const lastSlash = (rest: string) => rest.lastIndexOf('/');
  return [
    {
      kind: 'mutex',
      root: `${keyPrefix}/`,
      nameEnd: rawNames ? lastSlash : firstSlash,
      escaped: !rawNames,
      toQueue: mutexQueue,
    },
    {
      kind: 'read-write',
      root: readWriteRoot(keyPrefix),
      nameEnd: firstSlash,
      escaped: true,
      toQueue: (keys) => readWriteQueue(below('q', keys), below('w', keys)),
    },
    {
      kind: 'semaphore',
      root: semaphoreRoot(keyPrefix),
      nameEnd: firstSlash,
      escaped: true,
      toQueue(keys) {
        const limit = keys.find(({ key }) => key.endsWith('/limit'));
        return permitQueue(below('q', keys), permitsOf(limit));
      },
    },
  ];
}

async function readNames(
  kv: KV,
  { root, nameEnd, escaped }: Section,
  prefix: string,
  options: WaitOptions | undefined,
): Promise<Map<string, KeyValue[]>> {
  const names = new Map<string, KeyValue[]>();
  const start = `${root}${escaped ? escapeName(prefix) : prefix}`;
  for await (const each of kv.list({ prefix: start }, options)) {
    const rest = each.key.slice(root.length);
    const end = nameEnd(rest);
    if (end <= 0) continue; // not in a queue
    const name = escaped ? unescapeName(rest.slice(0, end)) : rest.slice(0, end);
    const keys = names.get(name);
    if (keys === undefined) names.set(name, [each]);
    else keys.push(each);
  }
  return names;
}

function below(folder: 'q' | 'w', keys: readonly KeyValue[]): KeyValue[] {
  return keys.filter(({ key }) => key.split('/').at(-2) === folder);
}
