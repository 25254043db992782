import { randomUUID } from 'node:crypto';
import { type ClientOptions, type CoordClient, connect } from '@coord/client';
import { type EtcdServer, eventually, type Proxy as Line, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import {
  type ConfigCenter,
  type ConfigCenterConfig,
  type ConfigChange,
  type ConfigWatch,
  createConfigCenter,
} from '../src/index.js';

/** An etcd for one test file, and what the tests open on it. */
export interface Setup {
  readonly etcd: EtcdServer;
  readonly client: CoordClient;
  readonly config: ConfigCenter;
  /** A key that no other test uses. */
  key(name?: string): string;
  /** Another client, closed after the test. */
  connect(options?: ClientOptions): Promise<CoordClient>;
  center(client: CoordClient, options?: ConfigCenterConfig): ConfigCenter;
  /** A proxy to this etcd, closed after the test. */
  proxy(): ReturnType<typeof startProxy>;
}

export function useEtcd(): Setup {
  let etcd: EtcdServer;
  let client: CoordClient;
  let config: ConfigCenter;
  const cleanup: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    etcd = await startEtcd();
    client = await connect(etcd.connectOptions);
    config = createConfigCenter(client);
  });
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });
  afterAll(async () => {
    await config?.close();
    await client?.close();
    await etcd?.stop();
  });

  return {
    get etcd() {
      return etcd;
    },
    get client() {
      return client;
    },
    get config() {
      return config;
    },
    key: (name = 'key') => `test/${randomUUID()}/${name}`,
    async connect(options) {
      const another = await connect({ ...etcd.connectOptions, ...options });
      cleanup.push(() => another.close());
      return another;
    },
    center(on, options) {
      const another = createConfigCenter(on, options);
      cleanup.push(() => another.close());
      return another;
    },
    async proxy() {
      const proxy = await startProxy({ target: etcd.endpoint });
      cleanup.push(() => proxy.close());
      return proxy;
    },
  };
}

/** Compacts everything before now. */
export async function compact(client: CoordClient): Promise<void> {
  const { revision } = await client.kv.put('/test/compact', '');
  await client.etcd3.kv.compact({ revision: revision.toString(), physical: true });
}

/**
 * Starts a write over a slow line, and cuts the line when etcd has applied it and the answer is on its way.
 * `meanwhile` runs in between.
 */
export async function losingTheResponse<T>(
  proxy: Line,
  write: () => Promise<T>,
  applied: () => Promise<boolean>,
  meanwhile: () => Promise<unknown> = async () => undefined,
): Promise<T> {
  const { accepted } = proxy;
  proxy.delay(250, 'toClient'); // time enough to see on a busy machine that it is applied
  const call = write();
  call.catch(() => undefined);
  await eventually(applied, { intervalMs: 1 });
  proxy.blackhole('toClient');
  proxy.delay(0, 'toClient');
  await meanwhile();
  proxy.cut();
  proxy.heal();
  const result = await call;
  expect(proxy.accepted).toBeGreaterThan(accepted);
  return result;
}

/** The next `count` changes; the watch goes on. */
export function taker<T>(watch: ConfigWatch<T>): (count: number) => Promise<ConfigChange<T>[]> {
  const iterator = watch[Symbol.asyncIterator]();
  return async (count) => {
    const changes: ConfigChange<T>[] = [];
    while (changes.length < count) {
      const next = await iterator.next();
      if (next.done) break;
      changes.push(next.value);
    }
    return changes;
  };
}
