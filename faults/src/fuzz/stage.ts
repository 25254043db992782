import { type CoordClient, connect } from '@coord/client';
import { type ConfigCenter, createConfigCenter } from '@coord/config';
import { createLocks, type DistributedLock } from '@coord/lock';
import { createRegistry, type ServiceRegistry } from '@coord/registry';
import { type EtcdServer, startEtcd } from '@coord/testkit';

/** One of each, on one etcd. */
export interface Stage extends AsyncDisposable {
  readonly etcd: EtcdServer;
  readonly client: CoordClient;
  readonly locks: DistributedLock;
  readonly registry: ServiceRegistry;
  readonly config: ConfigCenter;
  /** A name that nobody has used. */
  name(): string;
}

export async function openStage(): Promise<Stage> {
  const etcd = await startEtcd();
  const client = await connect({ ...etcd.connectOptions, requestTimeoutMs: 3_000 });
  const locks = createLocks(client);
  const registry = createRegistry(client, { emptyHoldMs: 0 });
  const config = createConfigCenter(client);
  let names = 0;
  return {
    etcd,
    client,
    locks,
    registry,
    config,
    name: () => `name-${names++}`,
    async [Symbol.asyncDispose]() {
      await client.close();
      await etcd.stop();
    },
  };
}
