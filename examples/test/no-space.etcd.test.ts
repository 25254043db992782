/** What docs/operations/alarms.md says of an etcd without space, row by row. */
import { type CoordClient, connect, ResourceExhaustedError } from '@coord/client';
import { type ConfigCenter, createConfigCenter } from '@coord/config';
import { createLocks, type DistributedLock, type Lock } from '@coord/lock';
import { createRegistry, type Registration, type ServiceRegistry } from '@coord/registry';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';

let etcd: EtcdServer;
let client: CoordClient;
let locks: DistributedLock;
let registry: ServiceRegistry;
let config: ConfigCenter;
let held: Lock;
let waiting: Promise<unknown>;
let registrations: readonly Registration[];

const instance = (id: string) => ({ name: 'users', id, address: '10.0.0.1', port: 1 });
const keysBelow = async (prefix: string) => (await client.kv.range({ prefix })).kvs.map(({ key }) => key);

beforeAll(async () => {
  etcd = await startEtcd({ quotaBytes: 4 * 1024 * 1024 });
  client = await connect(etcd.connectOptions);
  locks = createLocks(client);
  registry = createRegistry(client);
  config = createConfigCenter(client);
  await config.set('prod/a', 1);
  registrations = await Promise.all(['a', 'b', 'c'].map((id) => registry.register(instance(id))));
  held = await locks.acquire('held');
  waiting = locks.acquire('held').then(
    (lock) => lock.release(),
    (error: unknown) => error,
  );
  await etcd.fillQuota();
});
afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

it('reads and cached reads go on', async () => {
  expect(await config.getValue('prod/a')).toBe(1);
  expect(await config.getValue('prod/a', 0, { consistency: 'cached' })).toBe(1);
  expect(await registry.discover('users')).toHaveLength(3);
});

it.each<[string, () => Promise<unknown>]>([
  ['a new lock', () => locks.tryAcquire('new')],
  ['a registration', () => registry.register(instance('new'))],
  ['a change of health', () => registry.updateHealth('users', 'a', 'unhealthy')],
  ['set', () => config.set('prod/a', 2)],
  ['delete of configuration', () => config.delete('prod/a')],
  ['a session', () => client.session()],
])('%s is refused, and told what to do', async (_what, call) => {
  const error: unknown = await call().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ResourceExhaustedError);
  expect(String(error)).toContain('compact, defragment and disarm');
});

it('a held lock can be renewed, read under and released, also while another caller of the client waits', async () => {
  expect(await held.renew()).toBe(true);
  await held.txn({ success: [{ get: '/a' }, { delete: '/a' }] });
  await held.release();
  expect(await waiting).toBeInstanceOf(ResourceExhaustedError);
  expect(await keysBelow('/locks/')).toEqual([]);
});

it('instances can be deregistered and drained, by others too', async () => {
  await registrations[0]?.deregister();
  await registrations[1]?.drain({ waitMs: 10 });
  await using operator = await connect(etcd.connectOptions);
  await createRegistry(operator).deregister('users', 'c');
  expect(await keysBelow('/services/')).toEqual([]);
});

it('all goes on once there is space again', async () => {
  await etcd.freeSpace();
  await (await locks.acquire('held')).release();
  await (await registry.register(instance('new'))).deregister();
  expect((await config.set('prod/a', 3)).version).toBe(2);
});
