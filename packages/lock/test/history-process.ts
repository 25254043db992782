/**
 * A process of its own that reads and writes a list under a lock, again and again, for the history
 * test. Between its check that it holds the lock and its write, it asks the test whether to go on.
 */
import { type CoordClient, CoordError, connect } from '@coord/client';
import { createLocks, type Lock, LockNotHeldError } from '../src/index.js';

export type Mode = 'guarded' | 'unguarded';

export interface Assignment {
  readonly id: string;
  readonly endpoints: readonly string[];
  readonly name: string;
  readonly listKey: string;
  readonly mode: Mode;
  readonly ttlMs: number;
}

export type Report =
  | { readonly type: 'about to write' }
  | {
      readonly type: 'wrote';
      readonly write: string;
      readonly token: string;
      readonly outcome: 'ok' | 'failed' | 'unknown';
    }
  | { readonly type: 'closed' };

/** What the test says to a process. */
export type Command = 'go' | 'stop';

const assignment: Assignment = JSON.parse(process.argv[2] ?? '');
const { id, endpoints, name, listKey, mode, ttlMs } = assignment;
let stopping = false;
let goOn: (() => void) | undefined;
process.on('message', (command: Command) => {
  if (command === 'stop') stopping = true;
  else goOn?.();
});

const client = await connect({ endpoints, requestTimeoutMs: 2_000 });
const locks = createLocks(client, { defaultTtlMs: ttlMs });
for (let round = 1; !stopping; round++) {
  try {
    const lock = await locks.acquire(name, { timeoutMs: 10_000 });
    await update(client, lock, round);
    await lock.release();
  } catch (error) {
    if (!CoordError.is(error)) throw error; // a place or a lock was lost, or etcd is away: once more
  }
}
await locks.close();
await client.close();
report({ type: 'closed' });
process.disconnect();

async function update({ kv }: CoordClient, lock: Lock, round: number): Promise<void> {
  const write = `${id}-${round}`;
  const list: string[] = JSON.parse((await kv.get(listKey))?.text() ?? '[]');
  const value = JSON.stringify([...list, write]);
  lock.assertHeld();
  await new Promise<void>((resolve) => {
    goOn = resolve;
    report({ type: 'about to write' });
  });
  const outcome = await attempt(kv, lock, value, round).catch((error: unknown) => {
    if (error instanceof LockNotHeldError) return 'failed';
    if (CoordError.is(error)) return error.outcome === 'unknown' ? 'unknown' : 'failed';
    throw error;
  });
  report({ type: 'wrote', write, token: lock.fencingToken.toString(), outcome });
}

/** What a holder does that does not look at the clock again: it just writes. */
async function attempt(
  kv: CoordClient['kv'],
  lock: Lock,
  value: string,
  round: number,
): Promise<'ok' | 'failed'> {
  const success = [{ put: { key: listKey, value } }];
  if (mode === 'unguarded') {
    await kv.put(listKey, value);
    return 'ok';
  }
  // By turns through the lock, which refuses by its own clock as well, and by etcd's compare alone.
  if (round % 2 === 0) return (await lock.txn({ success })).succeeded ? 'ok' : 'failed';
  const isOwn = { key: lock.etcdKey, target: 'create', is: '=', to: lock.fencingToken } as const;
  return (await kv.txn({ compare: [isOwn], success })).succeeded ? 'ok' : 'failed';
}

function report(message: Report): void {
  process.send?.(message);
}
