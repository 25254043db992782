import { eventually, startEtcd, startProxy } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { connect, type Session } from '../src/index.js';
import { oneEtcd } from './one-etcd.js';

const KEYS = 10_000;
const KEYS_PER_TXN = 100;

const { etcd, client } = await oneEtcd();

async function putMany(prefix: string, session: Session): Promise<void> {
  for (let from = 0; from < KEYS; from += KEYS_PER_TXN) {
    const success = Array.from({ length: KEYS_PER_TXN }, (_, i) => ({
      put: { key: `${prefix}${from + i}`, value: 'x', session },
    }));
    await client.kv.txn({ success });
  }
}

async function count(prefix: string): Promise<number> {
  return (await client.kv.range({ prefix }, { countOnly: true })).count;
}

/** How many streams of this kind etcd has seen started. */
async function streamsStarted(method: string): Promise<number> {
  const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const line = metrics
    .split('\n')
    .find((each) => each.startsWith('grpc_server_started_total') && each.includes(`"${method}"`));
  return Number(line?.split(' ').at(-1));
}

describe('10,000 keys on one lease', () => {
  it('live on beyond the TTL, and go at once with close', async () => {
    const session = await client.session({ ttlMs: 3_000 });
    await putMany('/many/close/', session);
    const startedAt = performance.now();
    await eventually(
      () => {
        session.assertAlive();
        return performance.now() - startedAt > 4_500;
      },
      { timeoutMs: 10_000, intervalMs: 50 },
    );
    expect(await count('/many/close/')).toBe(KEYS);
    await session.close();
    expect(await count('/many/close/')).toBe(0);
  });

  it('the loss is known before the first of them is deleted', async () => {
    await using proxy = await startProxy({ target: etcd.endpoint });
    const far = await connect({ endpoints: [proxy.endpoint] });
    const session = await far.session({ ttlMs: 4_000 });
    await putMany('/many/expire/', session);
    await using watch = client.watch({ prefix: '/many/expire/' });
    await watch.ready;
    proxy.blackhole();
    const [lostAt, deletedAt] = await Promise.all([
      new Promise<number>((resolve) => {
        session.signal.addEventListener('abort', () => resolve(performance.now()), { once: true });
      }),
      watch[Symbol.asyncIterator]()
        .next()
        .then(() => performance.now()),
    ]);
    expect(lostAt).toBeLessThan(deletedAt);
    await eventually(async () => expect(await count('/many/expire/')).toBe(0), { timeoutMs: 10_000 });
    await far.close({ timeoutMs: 100 });
  });
});

describe('1,000 sessions of one client', () => {
  it('are kept alive over one stream, over a cut of the line as well', async () => {
    await using proxy = await startProxy({ target: etcd.endpoint });
    const own = await connect({ endpoints: [proxy.endpoint] });
    const before = await streamsStarted('LeaseKeepAlive');
    const sessions: Session[] = [];
    while (sessions.length < 1_000) {
      // Not all at once: on a busy machine that many grants take longer than the TTL.
      sessions.push(...(await Promise.all(Array.from({ length: 50 }, () => own.session({ ttlMs: 9_000 })))));
    }
    const startedAt = performance.now();
    const allAliveFor = (ms: number) =>
      eventually(
        () => {
          for (const session of sessions) session.assertAlive();
          return performance.now() - startedAt > ms;
        },
        { timeoutMs: 20_000, intervalMs: 100 },
      );
    await allAliveFor(4_000);
    expect((await streamsStarted('LeaseKeepAlive')) - before).toBe(1);
    proxy.cut();
    await allAliveFor(10_000);
    expect((await streamsStarted('LeaseKeepAlive')) - before).toBe(2);
    const leaseCount = async () => (await client.etcd3.leaseClient.leaseLeases()).leases.length;
    expect(await leaseCount()).toBeGreaterThanOrEqual(1_000);
    await own.close({ timeoutMs: 10_000 });
    expect(await leaseCount()).toBeLessThan(100);
  });
});

describe('a cluster with a long election timeout', () => {
  it('raises the TTL, and the granted one counts', async () => {
    await using slow = await startEtcd({ args: ['--heartbeat-interval=300', '--election-timeout=3000'] });
    await using own = await connect(slow.connectOptions);
    const session = await own.session({ ttlMs: 1_000 });
    expect(session.ttlMs).toBe(5_000); // 1.5 election timeouts, in whole seconds
    expect(session.remainingMs).toBeGreaterThan(4_000);
    const startedAt = performance.now();
    await eventually(
      () => {
        session.assertAlive();
        return performance.now() - startedAt > 3_000; // what was asked for, three times over
      },
      { timeoutMs: 5_000 },
    );
  });
});
