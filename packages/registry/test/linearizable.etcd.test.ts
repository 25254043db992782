import { AbortedError, type CoordClient, connect, TimeoutError } from '@coord/client';
import { type EtcdServer, startEtcd, startProxy, type Proxy as TcpProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry, type ServiceRegistry } from '../src/index.js';

let etcd: EtcdServer;
let writer: CoordClient;
let client: CoordClient;
let proxy: TcpProxy;
let registry: ServiceRegistry;

beforeAll(async () => {
  etcd = await startEtcd();
  proxy = await startProxy({ target: etcd.endpoint });
  writer = await connect(etcd.connectOptions);
  client = await connect({ endpoints: [proxy.endpoint] });
  registry = createRegistry(client);
});

afterAll(async () => {
  await Promise.all([writer?.close(), client?.close({ timeoutMs: 500 })]);
  await proxy?.close();
  await etcd?.stop();
});

const put = (name: string, id: string, port: number) =>
  writer.kv.put(`/services/${name}/${id}`, JSON.stringify({ Addr: `a:${port}` }));
const read = (name: string, options?: object) =>
  registry.discover(name, { consistency: 'linearizable', ...options });

/** The calls of the KV service that etcd has been sent so far, by its own count. */
async function kvCalls(): Promise<number> {
  const text = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const counts = text.matchAll(/^grpc_server_started_total\{.*grpc_service="etcdserverpb.KV".*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

describe('a linearizable discover', () => {
  it('shows what others had written before it was called, however many read at the same time', async () => {
    for (let port = 1; port <= 40; port++) {
      await put('newest', 'a', port);
      const found = await Promise.all(Array.from({ length: 10 }, () => read('newest')));
      for (const [instance] of found) expect(instance?.port).toBe(port);
      read('newest').catch(() => undefined); // under way while the next is written
      read('newest').catch(() => undefined);
    }
  });

  it('shares its requests with those who ask at the same time', async () => {
    await put('shared', 'a', 1);
    const before = await kvCalls();
    const found = await Promise.all(Array.from({ length: 1_000 }, () => read('shared')));
    expect(found).toHaveLength(1_000);
    for (const list of found) expect(list).toMatchObject([{ id: 'a' }]);
    expect(await kvCalls()).toBeLessThanOrEqual(before + 10);
  });

  it('gives each caller a list of his own', async () => {
    await put('own', 'a', 1);
    const [first, second] = await Promise.all(Array.from({ length: 20 }, () => read('own')).slice(-2));
    first?.pop();
    expect(second).toHaveLength(1);
  });

  it('ends for one caller who aborts or has no more time, and goes on for the others', async () => {
    await put('patient', 'a', 1);
    proxy.blackhole();
    const controller = new AbortController();
    const others = Array.from({ length: 8 }, () => read('patient', { timeoutMs: 30_000 }));
    const aborted = expect(read('patient', { signal: controller.signal })).rejects.toThrow(AbortedError);
    const late = expect(read('patient', { timeoutMs: 50 })).rejects.toThrow(TimeoutError);
    controller.abort();
    await Promise.all([aborted, late]);
    proxy.heal();
    for (const found of await Promise.all(others)) expect(found).toHaveLength(1);
  });

  it('reads a large service within a namespace, too', async () => {
    const own = await connect({ ...etcd.connectOptions, namespace: '/tenant' });
    const value = JSON.stringify({ Addr: 'a:1' });
    const ids = Array.from({ length: 150 }, (_, index) => `i${String(index).padStart(3, '0')}`);
    await Promise.all(ids.map((id) => own.kv.put(`/services/inside/${id}`, value)));
    await put('inside', 'outside', 1);
    const found = await createRegistry(own).discover('inside', { consistency: 'linearizable' });
    expect(found.map(({ id }) => id)).toEqual(ids);
    await own.close();
  });

  it('reads a large service at one revision', async () => {
    const ids = Array.from({ length: 200 }, (_, index) => `i${String(index).padStart(3, '0')}`);
    const generation = (port: number) => {
      const success = ids.map((id) => ({
        put: { key: `/services/whole/${id}`, value: JSON.stringify({ Addr: `a:${port}` }) },
      }));
      // A transaction may have 128 operations: two halves, one after the other.
      return writer.kv
        .txn({ success: success.slice(0, 100) })
        .then(() => writer.kv.txn({ success: success.slice(100) }));
    };
    await generation(1);
    let port = 1;
    let writing = true;
    const writes = (async () => {
      while (writing) await generation(++port);
    })();
    for (let round = 0; round < 10; round++) {
      const found = await read('whole');
      expect(found.map(({ id }) => id)).toEqual(ids);
      const [first, second] = [found.slice(0, 100), found.slice(100)].map(
        (half) => new Set(half.map((each) => each.port)),
      );
      expect([first?.size, second?.size]).toEqual([1, 1]);
      const difference = ([...(first ?? [])][0] ?? 0) - ([...(second ?? [])][0] ?? 0);
      expect([0, 1]).toContain(difference);
    }
    writing = false;
    await writes;
  });
});
