import type { CoordClient, Watch } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLocks, LockExpiredError } from '../src/index.js';
import { isSettled, metric, party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

const open = () => party(etcd.connectOptions);

describe('where a lock is hot, a waiter', () => {
  it('knows from the events alone that it is first: no read for a hand-over', async () => {
    const own = await startEtcd(); // so that no other calls are counted
    onTestFinished(() => own.stop());
    const name = uniqueName();
    const parties = await Promise.all(Array.from({ length: 4 }, () => party(own.connectOptions)));
    const txns = () =>
      metric(
        own.endpoint,
        'grpc_server_started_total{grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"}',
      );
    const ROUNDS = 30;
    let warm = 0;
    let before = 0;
    await Promise.all(
      parties.map(async ({ locks }) => {
        for (let i = 0; i < ROUNDS; i++) {
          const lock = await locks.acquire(name);
          warm += 1;
          if (warm === parties.length * 3) before = await txns();
          await lock.release();
        }
      }),
    );
    const cycles = parties.length * (ROUNDS - 3);
    // One Txn to join, one to leave. The reads of those who found the queue empty in between are few.
    expect((await txns()) - before).toBeLessThan(cycles * 2.2);
  });

  it('is served in strict order', async () => {
    const name = uniqueName();
    const parties = await Promise.all(Array.from({ length: 4 }, open));
    const tokens: bigint[] = [];
    await Promise.all(
      parties.map(async ({ locks }) => {
        for (let i = 0; i < 20; i++) {
          const lock = await locks.acquire(name);
          tokens.push(lock.fencingToken);
          await lock.release();
        }
      }),
    );
    expect(tokens).toHaveLength(80);
    expect(tokens).toEqual([...tokens].sort((a, b) => Number(a - b)));
  });

  it('is told when its own key is deleted, though the watch has long been running', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(name);
    const second = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    await first.release();
    await (await second).release();
    const again = await a.locks.acquire(name);
    const waiting = rejection(b.locks.acquire(name));
    await queueLength(a.client, name, 2);
    const [, ownKey = ''] = await queueKeys(a.client, name);
    await a.client.kv.delete(ownKey);
    expect(await waiting).toBeInstanceOf(LockExpiredError);
    await again.release();
  });

  it('finds out by itself what no event has told', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    // etcd has been seen to drop DELETE events: https://github.com/etcd-io/etcd/issues/18089
    const locks = createLocks(withSilentWatches(b.client), { defaultTtlMs: 2_000 });
    onTestFinished(() => locks.close());
    const first = await a.locks.acquire(name);
    const second = locks.acquire(name);
    await queueLength(a.client, name, 2);
    await first.release();
    await (await second).release();
  });

  it('survives compactions while its line is down', async () => {
    const name = uniqueName();
    const proxy = await startProxy({ target: etcd.endpoint });
    onTestFinished(() => proxy.close());
    const [a, b] = await Promise.all([
      open(),
      party({ ...etcd.connectOptions, endpoints: [proxy.endpoint] }),
    ]);
    const [first, between] = [await a.locks.acquire(name), await open()];
    const third = between.locks.acquire(name);
    await queueLength(a.client, name, 2);
    const last = b.locks.acquire(name);
    await queueLength(a.client, name, 3);
    expect(await isSettled(last)).toBe(false); // it follows the queue
    await proxy.refuse();
    proxy.cut();
    await first.release();
    await (await third).release();
    for (let i = 0; i < 5; i++) await a.client.kv.put('noise', String(i));
    const { revision } = await a.client.kv.range('noise');
    await etcd.etcdctl(['compaction', revision.toString()]);
    await proxy.accept();
    const lock = await last;
    expect(await queueKeys(a.client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });

  it('leaves no watch behind', async () => {
    const own = await startEtcd();
    onTestFinished(() => own.stop());
    const name = uniqueName();
    const [a, b] = await Promise.all([party(own.connectOptions), party(own.connectOptions)]);
    const first = await a.locks.acquire(name);
    const second = b.locks.acquire(name);
    await queueLength(a.client, name, 2);
    const watchers = () => metric(own.endpoint, 'etcd_debugging_mvcc_watcher_total');
    await eventually(async () => expect(await watchers()).toBeGreaterThan(0));
    await first.release();
    await (await second).release();
    await eventually(async () => expect(await watchers()).toBe(0), { timeoutMs: 10_000 });
  });
});

describe('far from the head of a long queue, a waiter', () => {
  /** Contenders that are just keys, as those of others are. */
  async function foreignQueue(client: CoordClient, name: string, length: number): Promise<string[]> {
    const keys = Array.from({ length }, (_, i) => `/locks/${name}/foreign-${String(i).padStart(3, '0')}`);
    for (const key of keys) await client.kv.put(key, '');
    return keys;
  }

  it('waits for its turn, also when many before it give up', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const keys = await foreignQueue(a.client, name, 90);
    const waiting = b.locks.acquire(name, { timeoutMs: 30_000 });
    await queueLength(a.client, name, 91);
    const [kept = '', ...others] = keys;
    for (const key of others.reverse()) await a.client.kv.delete(key);
    expect(await isSettled(waiting)).toBe(false);
    await a.client.kv.delete(kept);
    const lock = await waiting;
    expect(await queueKeys(a.client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });

  it('moves up one by one', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const keys = await foreignQueue(a.client, name, 80);
    const waiting = b.locks.acquire(name, { timeoutMs: 30_000 });
    await queueLength(a.client, name, 81);
    for (const key of keys.slice(0, -1)) await a.client.kv.delete(key);
    expect(await isSettled(waiting)).toBe(false);
    await a.client.kv.delete({ prefix: `/locks/${name}/foreign-` });
    await (await waiting).release();
  });

  it('is told when its own key is deleted', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const keys = await foreignQueue(a.client, name, 50);
    const waiting = rejection(b.locks.acquire(name, { timeoutMs: 30_000 }));
    await queueLength(a.client, name, 51);
    const own = (await queueKeys(a.client, name)).find((key) => !keys.includes(key)) ?? '';
    await a.client.kv.delete(own);
    expect(await waiting).toBeInstanceOf(LockExpiredError);
  });
});

/** The client, whose watches are attached and then tell nothing. */
function withSilentWatches(client: CoordClient): CoordClient {
  const silent = (): Watch => {
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const close = async () => end();
    return {
      ready: Promise.resolve(),
      close,
      [Symbol.asyncDispose]: close,
      [Symbol.asyncIterator]: () => ({ next: () => ended.then(() => ({ done: true, value: undefined })) }),
    };
  };
  return new Proxy(client, {
    get: (target, property) => {
      if (property === 'watch') return silent;
      return Reflect.get(target, property, target);
    },
  });
}
