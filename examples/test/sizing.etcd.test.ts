/** What docs/operations/sizing.md says that Coord costs etcd, counted. */
import { type CoordClient, connect } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import { createConfigManager } from '@coord/config-manager';
import { getConnection } from '@coord/grpc-resolver';
import { createLocks } from '@coord/lock';
import { createRegistry } from '@coord/registry';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tableOf } from './document.js';

const table = tableOf('docs/operations/sizing.md').map(
  ([what = '', ...counts]) => [what, counts.map(Number)] as const,
);

let etcd: EtcdServer;
let root: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  root = await connect(etcd.connectOptions);
});
afterAll(async () => {
  await root?.close();
  await etcd?.stop();
});

/** Keys, leases and watches of the whole server. */
async function counts(): Promise<number[]> {
  const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const metric = (name: string) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(metrics)?.[1]);
  const { leases = [] } = JSON.parse(await etcd.etcdctl(['lease', 'list', '-w', 'json']));
  return [
    metric('etcd_debugging_mvcc_keys_total'),
    leases.length,
    metric('etcd_debugging_mvcc_watcher_total'),
  ];
}

const times = <T>(n: number, each: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: n }, (_, index) => each(index)));
const service = { address: '10.0.0.1', port: 1 };
const place = { env: 'prod', service: 'orders', component: 'http', defaults: { port: 1 } };

const uses: Record<string, (client: CoordClient) => Promise<unknown>> = {
  'a connected client': (client) => client.ping(),
  'one mutex, held for longer than 250 ms': (client) => createLocks(client).acquire('a'),
  async '100 mutexes held by one client'(client) {
    const locks = createLocks(client);
    await times(100, (index) => locks.acquire(`a${index}`));
  },
  async 'one mutex held, and 100 callers of this client waiting'(client) {
    const locks = createLocks(client);
    await locks.acquire('a');
    void times(100, () => locks.acquire('a')).catch(() => undefined); // ended by close
  },
  'one write lock': (client) => createLocks(client).acquireWriteLock('a'),
  'one permit of a semaphore': (client) => createLocks(client).semaphore('a', { permits: 2 }).acquire(),
  async '100 instances registered by one client'(client) {
    const registry = createRegistry(client);
    await times(100, (index) => registry.register({ ...service, name: `s${index}` }));
  },
  async '100 services discovered'(client) {
    const registry = createRegistry(client);
    await times(100, (index) => registry.discover(`s${index}`));
  },
  'one gRPC connection': (client) => connections(client, 1),
  '10 gRPC connections to one service': (client) => connections(client, 10),
  'one configuration value with one version': (client) =>
    createConfigCenter(client).set('prod/a/b', { port: 1 }),
  "one value that was read with `consistency: 'cached'`": (client) =>
    createConfigCenter(client).getValue('prod/c', 0, { consistency: 'cached' }),
  'a config manager': (client) =>
    createConfigManager({ config: createConfigCenter(client), ...place }).start(),
  'a config manager with all layers that announces': (client) =>
    createConfigManager({
      ...{ config: createConfigCenter(client), ...place, instance: 'one', announce: true },
      layers: ['shared', 'canary', 'instance', 'override'],
    }).start(),
};

async function connections(client: CoordClient, n: number): Promise<void> {
  const registry = createRegistry(client);
  await times(n, async () => {
    const connection = await getConnection(registry, 'nobody');
    await connection.waitForReady({ timeoutMs: 50 }).catch(() => undefined); // follows the service from here on
  });
}

it('the page has a row for each of these', () => {
  expect(table.map(([what]) => what)).toEqual(Object.keys(uses));
});

it.each(table)('%s', async (what, expected) => {
  const client = await connect(etcd.connectOptions);
  const before = await counts();
  try {
    await uses[what]?.(client);
    await eventually(
      async () =>
        expect((await counts()).map((count, index) => count - (before[index] ?? 0))).toEqual(expected),
      { timeoutMs: 20_000 },
    );
  } finally {
    await client.close();
    // etcd takes watches back a little later.
    await eventually(async () => expect((await counts()).slice(1)).toEqual(before.slice(1)), {
      timeoutMs: 40_000,
    });
    await root.kv.delete({ prefix: '/' });
  }
});
