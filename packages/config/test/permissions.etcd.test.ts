import { type CoordClient, connect, PermissionError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createConfigCenter } from '../src/index.js';

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
