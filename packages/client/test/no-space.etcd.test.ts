import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CoordClient, connect, ResourceExhaustedError } from '../src/index.js';
import { failure } from './failure.js';
import { brief } from './watch-support.js';

const TTL_MS = 3_000;

let etcd: EtcdServer;
let client: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd({ quotaBytes: 8 * 1024 * 1024 });
  client = await connect(etcd.connectOptions);
});
afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

async function expectNoSpace(call: Promise<unknown>): Promise<void> {
  const error = await failure(call);
  expect(error).toBeInstanceOf(ResourceExhaustedError);
  // The message says what to do.
  expect(String(error)).toMatch(/compact.*defragment.*disarm.*--quota-backend-bytes/);
}

describe('while a server has no space', () => {
  it('sessions and their keys live on, what frees space works, and puts say what to do', async () => {
    const session = await client.session({ ttlMs: TTL_MS });
    await client.kv.put('/no-space/held', 'x', { session });
    const ending = await client.session({ ttlMs: 60_000 });
    await client.kv.put('/no-space/ending', 'x', { session: ending });
    await client.kv.put('/no-space/loose', 'x');
    const watch = client.watch({ prefix: '/no-space/' });
    await watch.ready;
    const events = watch[Symbol.asyncIterator]();
    await etcd.fillQuota();

    await expectNoSpace(client.kv.put('/no-space/new', 'x'));
    await expectNoSpace(client.kv.put('/no-space/held', 'y', { session }));
    await expectNoSpace(client.session({ ttlMs: TTL_MS }));

    // Longer than the lease would live by itself.
    const startedAt = performance.now();
    await eventually(() => session.signal.aborted || performance.now() - startedAt > 2 * TTL_MS, {
      timeoutMs: 4 * TTL_MS,
    });
    await session.keepAlive();
    expect(session.state).toBe('alive');
    expect(await client.kv.get('/no-space/held')).toMatchObject({ leaseId: session.leaseId, version: 1 });

    expect((await client.kv.delete('/no-space/loose')).deleted).toBe(1);
    await ending.close(); // revokes the lease
    expect(await client.kv.get('/no-space/ending')).toBeUndefined();
    const seen = [(await events.next()).value, (await events.next()).value];
    expect(seen.flatMap(brief)).toEqual(['delete loose=', 'delete ending=']);

    await etcd.freeSpace();
    const { revision } = await client.kv.put('/no-space/held', 'z', { session });
    expect((await events.next()).value).toMatchObject({ revision });
    await using another = await client.session({ ttlMs: TTL_MS });
    await client.kv.put('/no-space/new', 'x', { session: another });
    expect([session.state, another.state]).toEqual(['alive', 'alive']);
    await watch.close();
    await session.close();
  });
});
