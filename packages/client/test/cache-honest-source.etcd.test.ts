import { cp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { type CacheUpdate, connect, type KeyValue } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';
import { oneEtcd } from './one-etcd.js';

const { etcd, client } = await oneEtcd();
const closes = closedAfterEach();

const decode = (kv: KeyValue) => kv.text();

describe('source', () => {
  it('is live again after a cut only when everything missed has been taken over', async () => {
    const proxy = closes(await startProxy({ target: etcd.endpoint }));
    const far = closes(await connect({ endpoints: [proxy.endpoint] }));
    const cache = far.cache({ prefix: '/h/' }, { decode });
    await cache.ready;
    expect(cache.source).toBe('live');
    for (let round = 0; round < 4; round++) {
      await proxy.refuse();
      proxy.cut();
      await eventually(() => cache.source === 'stale');
      // A put, or only a delete, which no other key tells of.
      if (round % 2 === 0) await client.kv.put('/h/a', String(round));
      else await client.kv.delete('/h/a');
      await client.kv.put('/elsewhere', String(round));
      const expected = round % 2 === 0 ? String(round) : undefined;
      await proxy.accept();
      await eventually(() => cache.source === 'live', { timeoutMs: 20_000, intervalMs: 1 });
      expect([cache.get('/h/a'), cache.ageMs]).toEqual([expected, 0]);
    }
  });

  it('stays live while others write elsewhere, and nothing happens here', async () => {
    const cache = client.cache({ prefix: '/h/quiet/' }, { decode });
    await cache.ready;
    const startedAt = performance.now();
    while (performance.now() - startedAt < 1_500) {
      await client.kv.put('/elsewhere', 'x');
      expect(cache.source).toBe('live');
    }
    await cache.close();
  });
});

describe('a new history', () => {
  it('a backup that was put back: the cache goes back with it, and says so once', async () => {
    await using server = await startEtcd();
    await using writer = await connect(server.connectOptions);
    for (const key of ['same', 'changed', 'deleted']) await writer.kv.put(`/b/${key}`, 'old');
    const dataDir = await dataDirOf(server);
    await server.kill();
    await cp(dataDir, `${dataDir}.backup`, { recursive: true });
    await server.restart();

    await writer.kv.put('/b/changed', 'new');
    await writer.kv.delete('/b/deleted');
    const cache = writer.cache({ prefix: '/b/' }, { decode });
    await cache.ready;
    for (let i = 0; i < 20; i++) await writer.kv.put('/b/added', String(i));
    await cache.synced();
    const seen = cache.revision;
    const changes = cache.changes();

    await server.kill();
    await rm(dataDir, { recursive: true });
    await cp(`${dataDir}.backup`, dataDir, { recursive: true });
    await server.restart();
    const update: CacheUpdate<string> = (await changes[Symbol.asyncIterator]().next()).value;
    expect([update.resync, update.revision < seen]).toEqual([true, true]);
    expect(
      update.changes.map(({ type, key, value, previous }) => [type, key, value, previous]).sort(),
    ).toEqual([
      ['delete', '/b/added', undefined, '19'],
      ['put', '/b/changed', 'old', 'new'],
      ['put', '/b/deleted', 'old', undefined],
    ]);
    await eventually(() => cache.source === 'live', { timeoutMs: 10_000 });
    await writer.kv.put('/b/after', 'x');
    await cache.synced({ timeoutMs: 5_000 });
    expect(Object.fromEntries(cache.entries())).toEqual({
      '/b/same': 'old',
      '/b/changed': 'old',
      '/b/deleted': 'old',
      '/b/after': 'x',
    });
    await rm(`${dataDir}.backup`, { recursive: true });
  });

  it('another cluster behind the same address, further on than the old one', async () => {
    await using other = await startEtcd();
    await using otherClient = await connect(other.connectOptions);
    await client.kv.put('/o/a', 'first cluster');
    await client.kv.put('/o/only-first', 'x');
    const line = await switchable(etcd.target);
    const far = closes(await connect({ endpoints: [line.endpoint] }));
    const cache = far.cache({ prefix: '/o/' }, { decode });
    await cache.ready;
    await eventually(() => cache.source === 'live');
    const changes = cache.changes();

    await otherClient.kv.put('/o/a', 'second cluster');
    // Its history goes on where the old one's ended, so that no revision gives it away.
    while ((await otherClient.kv.put('/elsewhere', 'x')).revision < cache.revision + 20n);
    line.switchTo(other.target);
    const update: CacheUpdate<string> = (await changes[Symbol.asyncIterator]().next()).value;
    expect(update.resync).toBe(true);
    expect(update.changes.map(({ type, key, value }) => [type, key, value])).toEqual([
      ['put', '/o/a', 'second cluster'],
      ['delete', '/o/only-first', undefined],
    ]);
    await eventually(() => cache.source === 'live', { timeoutMs: 10_000 });
    expect([...cache.entries()]).toEqual([['/o/a', 'second cluster']]);
  });
});

/** Where etcd has its data: what a person would back up. */
async function dataDirOf({ pid }: EtcdServer): Promise<string> {
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  const flag = '--data-dir=';
  const dataDir = args.find((arg) => arg.startsWith(flag))?.slice(flag.length);
  if (dataDir === undefined) throw new Error('etcd runs without --data-dir');
  return dataDir;
}

/** An address behind which the server can be exchanged. */
async function switchable(first: string): Promise<{ endpoint: string; switchTo(target: string): void }> {
  let target = first;
  const sockets = new Set<Socket>();
  const server: Server = createServer((from) => {
    const [host, port] = target.split(':');
    const to = tcpConnect(Number(port), host);
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    from.pipe(to).pipe(from);
    from.on('close', () => to.destroy());
    to.on('close', () => from.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  closes({
    close: async () => {
      drop();
      server.close();
    },
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    switchTo(next) {
      target = next;
      drop();
    },
  };
}
