import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientOptions, type CoordClient, createClient } from '@coord/client';
import { type ConfigCenter, createConfigCenter } from '@coord/config';
import {
  type EtcdServer,
  type Proxy as Line,
  eventually as retry,
  startEtcd,
  startProxy,
} from '@coord/testkit';
import { afterAll, afterEach, beforeAll } from 'vitest';
import {
  type ConfigManager,
  type ConfigManagerEvent,
  type ConfigManagerOptions,
  createConfigManager,
} from '../src/index.js';

/** An etcd for one test file, and what the tests open on it. */
export interface Setup {
  readonly etcd: EtcdServer;
  readonly client: CoordClient;
  readonly config: ConfigCenter;
  /** A place in the centre that no other test uses. */
  place(): Place;
  /** A manager, stopped after the test. */
  manager<T>(options: Omit<ConfigManagerOptions<T>, 'config'> & { config?: ConfigCenter }): ConfigManager<T>;
  /** A centre behind a proxy. */
  behindProxy(options?: ClientOptions): Promise<{
    proxy: Awaited<ReturnType<typeof startProxy>>;
    config: ConfigCenter;
    /** Cuts the line, and refuses new connections. */
    disconnect(): Promise<void>;
  }>;
  /** A file in a folder of its own. */
  file(): Promise<string>;
}

export interface Place {
  readonly env: string;
  readonly service: string;
  readonly component: string;
  readonly key: string;
}

export function useEtcd(): Setup {
  let etcd: EtcdServer;
  let client: CoordClient;
  let config: ConfigCenter;
  const cleanup: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    etcd = await startEtcd();
    client = createClient(etcd.connectOptions);
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
    place() {
      const service = randomUUID();
      return { env: 'test', service, component: 'http', key: `test/${service}/http` };
    },
    manager(options) {
      const { key: _, ...given } = { key: undefined, ...options }; // a place has its key, too
      const manager = createConfigManager({ config, ...given });
      cleanup.push(() => manager.stop());
      return manager;
    },
    async behindProxy(options) {
      const proxy = await startProxy({ target: etcd.endpoint });
      const proxied = createClient({ endpoints: [proxy.endpoint], requestTimeoutMs: 500, ...options });
      const center = createConfigCenter(proxied);
      cleanup.push(
        () => proxy.close(),
        () => proxied.close(),
        () => center.close(),
      );
      const disconnect = async () => {
        await proxy.refuse();
        proxy.cut();
      };
      return { proxy, config: center, disconnect };
    },
    async file() {
      const folder = await mkdtemp(join(tmpdir(), 'coord-config-'));
      cleanup.push(() => rm(folder, { recursive: true, force: true }));
      return join(folder, 'snapshot');
    },
  };
}

/** Collects events while a test runs. */
export function collect<T>(events: AsyncIterable<ConfigManagerEvent<T>>) {
  const seen: ConfigManagerEvent<T>[] = [];
  const done = (async () => {
    for await (const event of events) seen.push(event);
  })();
  const types = () => seen.filter(({ type }) => type !== 'state').map(({ type }) => type);
  return { seen, types, done };
}

/** Makes a call over a slow line, and cuts the line when etcd has applied it and the answer is on its way. */
export async function losingTheAnswer<T>(
  proxy: Line,
  call: () => Promise<T>,
  applied: () => Promise<boolean>,
): Promise<T> {
  proxy.delay(250, 'toClient'); // time enough to see on a busy machine that it is applied
  const answer = call();
  answer.catch(() => undefined);
  await eventually(() => applied().catch(() => false), { intervalMs: 1 });
  proxy.blackhole('toClient');
  proxy.delay(0, 'toClient');
  proxy.cut();
  proxy.heal();
  return answer;
}

/** A step that waits until the test lets it go. */
export class Held {
  waiting = 0;
  #letGo: (() => void)[] = [];

  wait(): Promise<void> {
    this.waiting++;
    return new Promise((resolve) => this.#letGo.push(resolve));
  }

  letGo(): void {
    for (const resolve of this.#letGo.splice(0)) resolve();
  }
}

/** As the testkit's, with the patience that a busy machine needs. */
export const eventually: typeof retry = (check, options) => retry(check, { timeoutMs: 20_000, ...options });
