import { equal, ok } from 'node:assert/strict';
import { connect } from '@coord/client';
import { createLocks, type DistributedLock, type Lock, LockConflictError } from '@coord/lock';

const endpoints = [process.env.COORD_ENDPOINTS ?? '127.0.0.1:2379'];

async function main(): Promise<void> {
  const client = await connect({ endpoints });
  const locks: DistributedLock = createLocks(client);
  const name = `consumer-${process.pid}`;
  const result = `/consumer/${name}`;
  try {
    const lock: Lock = await locks.acquire(name, { timeoutMs: 10_000 });
    const token: bigint = lock.fencingToken;
    ok(token > 0n && (await lock.isHeld()));
    const refused: unknown = await locks.tryAcquire(name).catch((error: unknown) => error);
    ok(refused instanceof LockConflictError, String(refused));
    const { succeeded } = await lock.txn({ success: [{ put: { key: result, value: 'written' } }] });
    ok(succeeded);
    await lock.release();
    const next = await locks.withLock(name, (again) => Promise.resolve(again.fencingToken));
    ok(next > token);
    equal((await client.kv.get(result))?.text(), 'written');
    await client.kv.delete(result);
  } finally {
    await locks.close();
    await client.close();
  }
  console.log('done');
}

void main();
