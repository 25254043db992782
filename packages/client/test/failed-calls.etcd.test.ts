import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CoordClient, connect } from '../src/index.js';

/** etcd3's circuit breaker opens at the third failure and refuses every call for 5 s. */
const FAILURES = 6;
const AT_ONCE_MS = 2_500;

let etcd: EtcdServer;
let client: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect({ ...etcd.connectOptions, retry: { maxAttempts: 1 } });
});
afterEach(async () => {
  if (etcd.state === 'paused') await etcd.resume();
});
afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

/** Makes the same call again and again; each has to fail. Returns the names of the errors. */
async function fail(call: (index: number) => Promise<unknown>): Promise<Set<string>> {
  const names = new Set<string>();
  for (let index = 0; index < FAILURES; index++) {
    const error: unknown = await call(index).then(
      () => expect.fail('it was to fail'),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Error);
    names.add(error instanceof Error ? error.name : '');
  }
  return names;
}

async function everythingWorksAtOnce(key: string): Promise<void> {
  const startedAt = performance.now();
  await client.kv.put(key, 'x');
  expect((await client.kv.get(key))?.text()).toBe('x');
  await using watch = client.watch(key);
  await watch.ready;
  await using session = await client.session({ ttlMs: 10_000 });
  expect(session.state).toBe('alive');
  expect(await client.etcd3.get(key).string()).toBe('x');
  expect(performance.now() - startedAt).toBeLessThan(AT_ONCE_MS);
}

describe('calls that fail block no other call', () => {
  it('after deadlines that were too short', async () => {
    await etcd.pause();
    const names = await fail((i) =>
      i % 2 === 0
        ? client.kv.get('/failed/deadline', { timeoutMs: 30 })
        : client.kv.put('/failed/deadline', '', { timeoutMs: 30 }),
    );
    await etcd.resume();
    expect(names).toEqual(new Set(['TimeoutError']));
    await everythingWorksAtOnce('/failed/deadline');
  });

  it('after puts that etcd refuses as too large', async () => {
    const value = Buffer.alloc(3_000_000);
    const names = await fail(() => client.kv.put('/failed/large', value, { timeoutMs: 20_000 }));
    expect(names).toEqual(new Set(['ResourceExhaustedError']));
    await everythingWorksAtOnce('/failed/large');
  });

  it('after requests that etcd refuses for what they ask', async () => {
    const names = await fail((i) =>
      i % 2 === 0
        ? client.kv.put('/failed/wrong', '', { leaseId: 4_711n })
        : client.kv.range({ prefix: '/' }, { revision: 1_000_000n }),
    );
    expect(names.size).toBe(2);
    await everythingWorksAtOnce('/failed/wrong');
  });

  it('after calls of etcd3 itself, at the escape hatch', async () => {
    await etcd.pause();
    await fail(() =>
      client.etcd3
        .get('/failed/etcd3')
        .options({ deadline: Date.now() + 30 })
        .string(),
    );
    await etcd.resume();
    await everythingWorksAtOnce('/failed/etcd3');
  });

  it('and a range of 5 MB, of which etcd3 takes 4, is no failure at all', async () => {
    for (let i = 0; i < 5; i++) await client.kv.put(`/failed/5mb/${i}`, Buffer.alloc(1_000_000, i));
    for (let i = 0; i < FAILURES; i++) {
      const { kvs } = await client.kv.range({ prefix: '/failed/5mb/' }, { timeoutMs: 20_000 });
      expect(kvs.map(({ value }) => value.length)).toEqual(Array.from({ length: 5 }, () => 1_000_000));
    }
    await everythingWorksAtOnce('/failed/small');
  });
});
