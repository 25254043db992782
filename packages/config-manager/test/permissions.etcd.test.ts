import { type CoordClient, connect, PermissionError } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { appliedConfig, createConfigManager, overrideConfig } from '../src/index.js';
import { eventually } from './setup.js';

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

it('the least rights: reading the key and its record, more only for what is asked for', async () => {
  const place = { env: 'prod', service: 'orders', component: 'http' };
  const key = 'prod/orders/http';
  const grant = (...path: string[]) => etcd.etcdctl(['role', 'grant-permission', 'service', 'read', ...path]);
  await etcd.etcdctl(['role', 'add', 'service']);
  for (const path of [`/config/${key}`, `/coord/config/meta/${key}`]) await grant(path);
  await etcd.etcdctl(['user', 'add', 'service:secret']);
  await etcd.etcdctl(['user', 'grant-role', 'service', 'service']);

  const writer = createConfigCenter(root);
  await writer.set(key, { port: 1 });
  const client = await connect({ endpoints: etcd.endpoints, username: 'service', password: 'secret' });
  const config = createConfigCenter(client);
  const common = { config, ...place, instance: 'orders-1', defaults: { port: 0 } };
  const plain = createConfigManager({ ...common, announce: true });
  const overridable = createConfigManager({ ...common, layers: ['override'], startTimeoutMs: 200 });
  try {
    // Announcing is refused; the manager follows the key all the same.
    await plain.start();
    expect(plain.current.port).toBe(1);
    await eventually(() => expect(plain.status.lastError).toBeInstanceOf(PermissionError));
    await writer.set(key, { port: 2 });
    await plain.waitFor(2, { timeoutMs: 20_000 });
    expect(await appliedConfig(writer, key)).toMatchObject({ applied: 0, total: 0 });
    await expect(overrideConfig(config, key, { port: 9 }, { ttlMs: 60_000 })).rejects.toThrow(
      PermissionError,
    );

    // A layer that may not be read is no absent layer: the defaults, and a word about it, until it may be.
    await overridable.start();
    expect(overridable.status).toMatchObject({ state: 'degraded', source: 'default' });
    expect(overridable.status.lastError).toBeInstanceOf(PermissionError);
    await grant(`/coord/config/over/${key}/@/`, '--prefix');
    await eventually(() => expect(overridable.current.port).toBe(2), { timeoutMs: 20_000 });
  } finally {
    await plain.stop();
    await overridable.stop();
    await config.close();
    await client.close();
    await writer.close();
  }
});
