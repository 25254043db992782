import { type CoordClient, connect } from '@coord/client';
import { createRegistry, type Registration, type ServiceRegistry } from '@coord/registry';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type ConnectionOptions, getConnection, type ServiceConnection } from '../src/index.js';
import { startWho, tally, WhoClient, type WhoServer } from './who-service.js';

/** An etcd, a registry in it, and servers that are registered there: shared by the tests of one file. */
export class ServiceStage {
  #etcd: EtcdServer | undefined;
  #client: CoordClient | undefined;
  #registry: ServiceRegistry | undefined;
  readonly #cleanups: (() => unknown)[] = [];
  #names = 0;

  get etcd(): EtcdServer {
    return set(this.#etcd);
  }

  get client(): CoordClient {
    return set(this.#client);
  }

  get registry(): ServiceRegistry {
    return set(this.#registry);
  }

  async open(): Promise<void> {
    this.#etcd = await startEtcd();
    this.#client = await connect(this.#etcd.connectOptions);
    this.#registry = createRegistry(this.#client, { ttlMs: 3_000 });
  }

  /** The name of a service that no other test uses. */
  unique(): string {
    return `who-${++this.#names}`;
  }

  cleanLater(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  async cleanUp(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }

  async close(): Promise<void> {
    await this.#client?.close();
    await this.#etcd?.stop();
  }

  /** A server, and its registration under its own name. */
  async serve(
    service: string,
    name: string,
    registry = this.registry,
  ): Promise<{ server: WhoServer; registration: Registration }> {
    const server = await startWho(name);
    this.cleanLater(() => server.kill());
    const instance = { name: service, id: name, address: '127.0.0.1', port: server.port };
    const registration = await registry.register(instance);
    this.cleanLater(() => registration.deregister());
    return { server, registration };
  }

  async connectTo(
    service: string,
    options?: ConnectionOptions,
    registry = this.registry,
  ): Promise<{ connection: ServiceConnection; whos: WhoClient }> {
    const connection = await getConnection(registry, service, options);
    this.cleanLater(() => connection.close());
    return { connection, whos: connection.client(WhoClient) };
  }
}

/** A stage that opens before the tests of the calling file and closes after them. */
export function useStage(): ServiceStage {
  const stage = new ServiceStage();
  beforeAll(() => stage.open());
  afterEach(() => stage.cleanUp());
  afterAll(() => stage.close());
  return stage;
}

/** Waits until exactly these have answered within one round of calls. */
export async function reachesAll(whos: WhoClient, ...expected: string[]): Promise<void> {
  await eventually(
    async () => {
      const { answers } = await tally(whos, expected.length * 2);
      expect(Object.keys(answers).sort()).toEqual(expected);
    },
    { timeoutMs: 20_000 },
  );
}

function set<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the stage is not open');
  return value;
}
