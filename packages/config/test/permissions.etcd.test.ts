import { type CoordClient, connect, PermissionError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createConfigCenter } from '../src/index.js';
import { taker } from './setup.js';

let etcd: EtcdServer;
let root: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd({ auth: true });
  root = await connect(etcd.connectOptions);
});
afterAll(async () => {
  await root?.close();
  await etcd?.stop();
});

it('cached reads go on after a permission was taken away and given back', async () => {
  const role = root.etcd3.role('reader');
  await role.create();
  const key = 'app/db';
  const right = { permission: 'Read', key: `/config/${key}` } as const;
  await role.grant([right, { permission: 'Read', key: `/coord/config/meta/${key}` }]);
  const user = root.etcd3.user('reader');
  await user.create('secret');
  await user.addRole(role);

  const writer = createConfigCenter(root);
  await writer.set(key, 1);
  const proxy = await startProxy({ target: etcd.endpoint });
  const client = await connect({ endpoints: [proxy.endpoint], username: 'reader', password: 'secret' });
  const config = createConfigCenter(client);
  const read = () => config.getValue(key, undefined, { consistency: 'cached' });
  try {
    expect(await read()).toBe(1);
    await role.revoke(right);
    proxy.cut();
    await writer.set(key, 2);
    await eventually(() => expect(read()).rejects.toThrow(PermissionError));
    await role.grant(right);
    await eventually(async () => expect(await read()).toBe(2));
    await writer.set(key, 3);
    await eventually(async () => expect(await read()).toBe(3));
  } finally {
    await config.close();
    await client.close();
    await proxy.close();
  }
});

it('a permission that is taken away ends every watch of the key; who watches again begins anew', async () => {
  const role = root.etcd3.role('watcher');
  await role.create();
  const key = 'app/watched';
  const right = { permission: 'Read', key: `/config/${key}` } as const;
  const record = { permission: 'Read', key: `/coord/config/meta/${key}` } as const;
  await role.grant([right, record]);
  const user = root.etcd3.user('watcher');
  await user.create('secret');
  await user.addRole(role);

  const writer = createConfigCenter(root);
  await writer.set(key, 1);
  await using client = await connect({ ...etcd.connectOptions, username: 'watcher', password: 'secret' });
  await using config = createConfigCenter(client);
  const [one, other] = [config.watch<number>(key), config.watch<number>(key)];
  await Promise.all([one.ready, other.ready]);
  const ends = [one, other].map((watch) => expect(taker(watch)(1)).rejects.toThrow(PermissionError));
  await role.revoke(record);
  await writer.set(key, 2); // told, but its record may not be read
  await Promise.all(ends);
  await expect(config.watch(key).ready).rejects.toThrow(PermissionError);
  await role.grant(record);
  await using again = config.watch<number>(key, { initial: true });
  const take = taker(again);
  expect(await take(1)).toMatchObject([{ type: 'create', value: 2, version: 2 }]);
  await writer.set(key, 3);
  expect(await take(1)).toMatchObject([{ type: 'update', value: 3, version: 3 }]);
});
