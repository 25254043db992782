import { type EtcdServer, type StartEtcdOptions, startEtcd } from '@coord/testkit';
import { afterAll } from 'vitest';
import { type CoordClient, connect } from '../src/index.js';

/** An etcd for all tests of a file, and a client of it. Both end with the file. */
export async function oneEtcd(
  options: StartEtcdOptions = {},
): Promise<{ readonly etcd: EtcdServer; readonly client: CoordClient }> {
  const etcd = await startEtcd(options);
  afterAll(() => etcd.stop());
  const client = await connect(etcd.connectOptions);
  afterAll(() => client.close());
  return { etcd, client };
}
