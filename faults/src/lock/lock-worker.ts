import { type CoordClient, createClient } from '@coord/client';
import { createLocks, type Lock, LockNotHeldError } from '@coord/lock';
import { Refused } from '../recorder.js';
import type { WorkerContext } from '../run/worker-context.js';
import { clockOf } from './lock-clock.js';
import { LOCK_TTL_MS, lockDataKey } from './lock-names.js';
import type { Entry, LockShapes } from './lock-operations.js';

type Context = WorkerContext<LockShapes>;

/** Contends for the lock, and under it reads and writes one key, again and again. */
export async function lockWorker(context: Context): Promise<void> {
  const { run, endpoints } = context.assignment;
  const client = createClient({ endpoints, requestTimeoutMs: 2_000 });
  const locks = createLocks(client, { defaultTtlMs: LOCK_TTL_MS });
  for (let round = 1; !context.stopped.aborted; round++) {
    const { lock } = await acquire(context, () => locks.acquire(run, { timeoutMs: 10_000 }));
    if (lock !== undefined) await hold(context, client, lock, round);
  }
  await locks.close();
  await client.close();
}

async function acquire({ recorder }: Context, ask: () => Promise<Lock>): Promise<{ readonly lock?: Lock }> {
  const granted: Lock[] = [];
  await recorder.perform('acquire', {}, async () => {
    const lock = await ask();
    granted.push(lock);
    return { token: Number(lock.fencingToken) };
  });
  const [lock] = granted;
  return lock === undefined ? {} : { lock };
}

async function hold(context: Context, { kv }: CoordClient, lock: Lock, round: number): Promise<void> {
  const { assignment, recorder } = context;
  const token = Number(lock.fencingToken);
  const clock = clockOf(context, lock);
  const before = await kv.get(lockDataKey(assignment.run)).catch(() => 'unreadable' as const);
  if (before !== 'unreadable') {
    const read = before === undefined ? '' : idOf(before.text());
    const entry: Entry = { id: `${assignment.process}-${round}`, read, token };
    await context.at('between check and write');
    recorder.observe('believe', { token }, { holds: clock.holds() });
    await recorder.perform('write', entry, () => write(context, kv, lock, entry, round));
  }
  await recorder.perform('release', { token }, async () => {
    await lock.release();
    return {};
  });
}

function idOf(value: string): string {
  const { id }: Entry = JSON.parse(value);
  return id;
}

/** What a holder does that does not look at the clock again: it just writes. */
async function write(
  context: Context,
  kv: CoordClient['kv'],
  lock: Lock,
  entry: Entry,
  round: number,
): Promise<object> {
  const success = [{ put: { key: lockDataKey(context.assignment.run), value: JSON.stringify(entry) } }];
  if (context.isPlanted('unguarded')) return kv.txn({ success }).then(() => ({}));
  // By turns through the lock, which refuses by its own clock as well, and by etcd's compare alone.
  const isOwn = { key: lock.etcdKey, target: 'create', is: '=', to: lock.fencingToken } as const;
  const writing = round % 2 === 0 ? lock.txn({ success }) : kv.txn({ compare: [isOwn], success });
  const { succeeded } = await writing.catch((error: unknown) => {
    throw error instanceof LockNotHeldError ? new Refused(error.message) : error;
  });
  if (!succeeded) throw new Refused('another holds the lock');
  return {};
}
