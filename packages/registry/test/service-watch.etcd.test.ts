import { type CoordClient, connect } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy, type Proxy as TcpProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry, type ServiceEvent, type ServiceWatch } from '../src/index.js';

let etcd: EtcdServer;
let writer: CoordClient;
let proxy: TcpProxy;
/** Reaches etcd through the proxy. */
let client: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  proxy = await startProxy({ target: etcd.endpoint });
  [writer, client] = await Promise.all([
    connect(etcd.connectOptions),
    connect({ endpoints: [proxy.endpoint] }),
  ]);
});

afterAll(async () => {
  await Promise.all([writer?.close(), client?.close({ timeoutMs: 500 })]);
  await proxy?.close();
  await etcd?.stop();
});

const put = (name: string, id: string, port: number) =>
  writer.kv.put(`/services/${name}/${id}`, JSON.stringify({ Addr: `${id}:${port}` }));
const remove = (name: string, id: string) => writer.kv.delete(`/services/${name}/${id}`);

/**
 * The events up to the one of an instance named `end`. Each must follow from those before: nothing is said to be
 * new that was there, nothing to have gone that was not, and `previous` is what was there.
 */
async function untilEnd(
  watch: ServiceWatch,
): Promise<{ events: ServiceEvent[]; present: Map<string, number> }> {
  const events: ServiceEvent[] = [];
  const present = new Map<string, number>();
  for await (const event of watch) {
    const { type, service, previous } = event;
    expect(previous?.port).toBe(present.get(service.id));
    if (service.id === 'end') break;
    events.push(event);
    if (type === 'put') present.set(service.id, service.port);
    else expect(present.delete(service.id)).toBe(true);
  }
  return { events, present };
}

describe('watch', () => {
  it('loses nothing and repeats nothing over cut lines', async () => {
    const name = 'cut';
    await put(name, 'a', 1);
    const watch = createRegistry(client).watch(name);
    const seen = untilEnd(watch);
    for (let port = 2; port <= 200; port++) {
      await put(name, 'a', port);
      if (port % 40 === 0) proxy.cut();
      if (port % 50 === 0) await remove(name, 'a');
    }
    await put(name, 'end', 1);
    const { events } = await seen;
    const ports = events.flatMap(({ type, service }) => (type === 'put' ? [service.port] : []));
    const first = ports[0] ?? 0;
    expect(ports).toEqual(Array.from({ length: 201 - first }, (_, index) => first + index));
    expect(events.filter(({ type }) => type === 'delete')).toHaveLength(4);
  });

  it('goes on after a compaction with what is different now', async () => {
    const name = 'compacted';
    for (const id of ['same', 'changed', 'gone', 'again']) await put(name, id, 1);
    const watch = createRegistry(client).watch(name);
    const first = [await watch.next(), await watch.next(), await watch.next(), await watch.next()];
    expect(first.map(({ value }) => value?.service.id)).toEqual(['again', 'changed', 'gone', 'same']);
    await proxy.refuse();
    proxy.cut();
    for (let port = 2; port <= 10; port++) await put(name, 'changed', port);
    await remove(name, 'gone');
    await remove(name, 'again');
    await put(name, 'again', 1);
    await put(name, 'passing', 1);
    await remove(name, 'passing');
    await put(name, 'new', 1);
    await etcd.compact();
    await proxy.accept();
    const events: string[] = [];
    for await (const { type, service, previous } of watch) {
      events.push(`${type} ${service.id} ${previous?.port ?? '-'}>${service.port}`);
      if (service.id === 'new') await put(name, 'end', 1);
      if (service.id === 'end') break;
    }
    expect(events.filter((event) => !event.includes(' again '))).toEqual([
      'put changed 1>10',
      'put new ->1',
      'delete gone 1>1',
      'put end ->1',
    ]);
  });

  it('that nobody reads holds a bounded number of events, and then leads to the newest state', async () => {
    const name = 'unread';
    const INSTANCES = 50;
    const ROUNDS = 40;
    const registry = createRegistry(client);
    const watch = registry.watch(name);
    await registry.discover(name);
    for (let round = 1; round <= ROUNDS; round++) {
      await Promise.all(Array.from({ length: INSTANCES }, (_, id) => put(name, `i${id}`, round)));
    }
    await remove(name, 'i0');
    const { revision } = await put(name, 'end', 1);
    await eventually(() => expect(registry.status(name)?.revision).toBeGreaterThanOrEqual(revision));
    const { events, present } = await untilEnd(watch);
    // 1,024 changes are kept one by one; the rest is one for each instance.
    expect(events.length).toBeLessThanOrEqual(1_024 + 2 * INSTANCES);
    expect(present).toEqual(
      new Map(Array.from({ length: INSTANCES - 1 }, (_, id) => [`i${id + 1}`, ROUNDS])),
    );
  });

  it('that is ended while its events wait ends at once', async () => {
    const name = 'ended';
    await put(name, 'a', 1);
    const registry = createRegistry(client);
    const [closed, broken, left] = [registry.watch(name), registry.watch(name), registry.watch(name)];
    for (const watch of [closed, broken, left]) {
      expect((await watch.next()).value).toMatchObject({ type: 'put' });
    }
    for (let port = 2; port < 10; port++) await put(name, 'a', port);
    await closed.close();
    expect(await closed.next()).toMatchObject({ done: true });
    for await (const _ of broken) break;
    expect(await broken.next()).toMatchObject({ done: true });
    await registry.close();
    expect(await left.next()).toMatchObject({ done: true });
  });
});

describe('watchInstances', () => {
  it('gives a slow reader the newest list alone, and never an older one', async () => {
    const name = 'lists';
    const registry = createRegistry(client);
    await put(name, 'a', 1);
    await using slow = registry.watchInstances(name);
    expect((await slow.next()).value).toMatchObject([{ port: 1 }]);
    let last = { revision: 0n };
    for (let port = 2; port <= 100; port++) last = await put(name, 'a', port);
    await eventually(() => expect(registry.status(name)?.revision).toBeGreaterThanOrEqual(last.revision));
    expect((await slow.next()).value).toMatchObject([{ port: 100 }]);
    const next = slow.next();
    await put(name, 'a', 101);
    expect((await next).value).toMatchObject([{ port: 101 }]);
  });

  it('says nothing when nothing changes in what was asked for', async () => {
    const name = 'quiet';
    const registry = createRegistry(client);
    await put(name, 'a', 1);
    await using list = registry.watchInstances(name, { filter: ({ id }) => id !== 'noise' });
    expect((await list.next()).value).toHaveLength(1);
    const next = list.next();
    for (let port = 1; port <= 5; port++) await put(name, 'noise', port);
    await put(name, 'b', 1);
    expect((await next).value).toMatchObject([{ id: 'a' }, { id: 'b' }]);
  });
});
