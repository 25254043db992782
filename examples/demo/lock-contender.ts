// A child process that contends for the lock, and does work that must never be done by two at once.
import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, connect } from '@coord/client';
import { createLocks, type DistributedLock, type Lock } from '@coord/lock';
import { runAsChild } from './child.js';
import { now } from './clock.js';
import { COUNTER_KEY, type ContenderOrder, type ContenderReport, type Hold, LOCK } from './messages.js';

await runAsChild<ContenderOrder, ContenderReport>(async ({ name, endpoints, namespace }, parent) => {
  const client = await connect({ endpoints, namespace });
  const locks = createLocks(client, { defaultTtlMs: 10_000 });
  try {
    parent.tell({ type: 'ready' });
    for (;;) {
      const { value: order } = await parent.orders.next();
      if (order.type === 'leave') return;
      if (order.type === 'hold') {
        const { etcdKey, fencingToken: token } = await locks.acquire(LOCK, {
          ttlMs: order.ttlMs,
          purpose: name,
        });
        parent.tell({ type: 'holding', etcdKey, token, from: now() });
      } else {
        for (let turn = 0; turn < order.times; turn++) {
          parent.tell({ type: 'held', hold: await takeTurn(name, client, locks, order.holdMs) });
        }
      }
    }
  } finally {
    await locks.close();
    await client.close();
  }
});

async function takeTurn(
  name: string,
  client: CoordClient,
  locks: DistributedLock,
  holdMs: number,
): Promise<Hold> {
  return locks.withLock(LOCK, { purpose: name }, async (lock) => {
    const from = now();
    await countUp(client, lock, holdMs);
    return { name, etcdKey: lock.etcdKey, token: lock.fencingToken, from, to: now() };
  });
}

/** Reads, waits, writes: two at once would lose an update. The write commits only while the lock is held. */
async function countUp(client: CoordClient, lock: Lock, holdMs: number): Promise<void> {
  const before = Number((await client.kv.get(COUNTER_KEY))?.text() ?? 0);
  await sleep(holdMs);
  await lock.txn({ success: [{ put: { key: COUNTER_KEY, value: String(before + 1) } }] });
}
