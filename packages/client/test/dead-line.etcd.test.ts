import { eventually, type Proxy as TcpProxy } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { type ClientOptions, type CoordClient, connect } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';
import { linesTo } from './lines.js';
import { oneEtcd } from './one-etcd.js';

const { etcd, client: writer } = await oneEtcd();
const closes = closedAfterEach();
const { proxied } = linesTo(etcd, closes);

/** A client with a single endpoint, whose line can be made to go dead without a reset. */
async function connected(options: ClientOptions = {}): Promise<{ proxy: TcpProxy; client: CoordClient }> {
  const proxy = await proxied();
  const client = closes(await connect({ endpoints: [proxy.endpoint], ...options }));
  await client.kv.put('/dead-line/a', '1');
  return { proxy, client };
}

describe('a call with hardly any time', () => {
  it('does not blame a member that is sound', async () => {
    let tookMs = Number.POSITIVE_INFINITY;
    while (tookMs > 200) {
      // A process that stood still for so long would have had reason to.
      const { proxy, client } = await connected();
      proxy.delay(100, 'toClient');
      const startedAt = performance.now();
      const calls = [client.kv.get('/dead-line/a', { timeoutMs: 5 }), client.ping({ timeoutMs: 5 })];
      await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject({ name: 'TimeoutError' })));
      tookMs = performance.now() - startedAt;
      if (tookMs <= 200) expect([client.health.state, proxy.accepted]).toEqual(['ready', 1]);
    }
  });
});

describe('a line that goes dead without a reset, with a single endpoint', () => {
  it('a read is answered within its own timeout, over a new connection', async () => {
    const { proxy, client } = await connected();
    proxy.blackholeOpen();
    expect((await client.kv.get('/dead-line/a', { timeoutMs: 3_000 }))?.text()).toBe('1');
    expect(proxy.accepted).toBe(2);
  });

  it('a write costs one timeout and is unknown; the next one is written', async () => {
    const { proxy, client } = await connected();
    proxy.blackholeOpen();
    const lost = client.kv.put('/dead-line/a', '2', { timeoutMs: 700 });
    await expect(lost).rejects.toMatchObject({ name: 'TimeoutError', outcome: 'unknown' });
    await client.kv.put('/dead-line/a', '3', { timeoutMs: 3_000 });
    expect(proxy.accepted).toBe(2);
  });

  it('many calls that time out together make one new connection', async () => {
    const { proxy, client } = await connected();
    proxy.blackholeOpen();
    const reads = Array.from({ length: 50 }, () => client.kv.get('/dead-line/a', { timeoutMs: 4_000 }));
    for (const read of await Promise.all(reads)) expect(read?.text()).toBe('1');
    expect(proxy.accepted).toBe(2);
  });

  it('many calls with little time find it out together, and go on elsewhere', async () => {
    const [one, two] = [await proxied(), await proxied()];
    const endpoints = [one.endpoint, two.endpoint];
    const client = closes(await connect({ endpoints, keepAliveTimeMs: 120_000 })); // no ping finds it out
    const inUse = client.health.endpoint;
    (inUse === one.endpoint ? one : two).blackhole();
    await eventually(() => client.kv.get('/dead-line/a', { timeoutMs: 40 }), { timeoutMs: 30_000 });
    expect(client.health.endpoint).not.toBe(inUse);
  });

  it('a session of 10 s and a watch survive', async () => {
    const { proxy, client } = await connected();
    const session = await client.session({ ttlMs: 10_000 });
    await client.kv.put('/dead-line/held', 'x', { session });
    const watch = client.watch({ prefix: '/dead-line/seen/' });
    await watch.ready;
    proxy.blackholeOpen();
    const { revision } = await writer.kv.put('/dead-line/seen/1', 'x');
    expect((await watch[Symbol.asyncIterator]().next()).value).toMatchObject({ revision });
    const startedAt = performance.now();
    await eventually(() => performance.now() - startedAt > 11_000, { timeoutMs: 20_000, intervalMs: 500 });
    expect(session.state).toBe('alive');
    expect((await writer.kv.get('/dead-line/held'))?.text()).toBe('x');
  });

  it('what runs on the old connection may finish, and then its socket is gone', async () => {
    const { proxy, client } = await connected({ requestTimeoutMs: 8_000 });
    proxy.blackholeOpen('toClient');
    // In one request: what the second finds out does not wait for the patience of the first.
    const held = client.kv.put('/dead-line/late', 'x', { timeoutMs: 8_000 });
    await client.kv.put('/dead-line/a', '4', { timeoutMs: 500 }).catch(() => undefined);
    await client.kv.put('/dead-line/a', '5'); // over the new connection
    proxy.heal();
    expect((await held).revision).toBeGreaterThan(0n);
    await eventually(() => proxy.connections === 1);
    expect(proxy.accepted).toBe(2);
  });

  it('dead connections do not pile up: neither those given up nor those never answered', async () => {
    const { proxy, client } = await connected();
    for (let round = 1; round <= 5; round++) {
      proxy.blackholeOpen();
      await eventually(() => client.kv.get('/dead-line/a', { timeoutMs: 2_000 }), { timeoutMs: 10_000 });
    }
    proxy.heal(); // the proxy sees what the client has closed
    await eventually(() => proxy.connections === 1, { timeoutMs: 10_000 });

    const before = proxy.accepted;
    proxy.blackhole();
    for (let call = 1; call <= 12; call++) {
      await expect(client.kv.put('/dead-line/a', '', { timeoutMs: 250 })).rejects.toThrow();
    }
    expect(proxy.accepted - before).toBeLessThanOrEqual(3); // not one for each timeout
    proxy.heal();
    await eventually(() => client.kv.get('/dead-line/a'), { timeoutMs: 10_000 });
    await eventually(() => proxy.connections === 1, { timeoutMs: 10_000 });
  });
});
