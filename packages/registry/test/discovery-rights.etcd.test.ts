import { inspect } from 'node:util';
import { connect, PermissionError } from '@coord/client';
import { eventually, startEtcd, startProxy } from '@coord/testkit';
import { expect, it } from 'vitest';
import { createRegistry, goKratosCodec } from '../src/index.js';

it('a right that is withdrawn leaves the last known list, says why, and is used again once it is back', async () => {
  await using etcd = await startEtcd({ auth: true });
  await using proxy = await startProxy({ target: etcd.endpoint });
  const grant = ['role', 'grant-permission', 'reader', 'read', '--prefix=true', '/services/'];
  const revoke = ['role', 'revoke-permission', 'reader', '--prefix=true', '/services/'];
  for (const args of [
    ['role', 'add', 'reader'],
    grant,
    ['user', 'add', 'ada:lovelace'],
    ['user', 'grant-role', 'ada', 'reader'],
  ]) {
    await etcd.etcdctl(args);
  }
  await using root = await connect(etcd.connectOptions);
  await using ada = await connect({ endpoints: [proxy.endpoint], username: 'ada', password: 'lovelace' });
  const writer = createRegistry(root);
  await writer.register({ name: 'user', id: 'a', address: 'a:1' });
  const registry = createRegistry(ada);
  expect(await registry.discover('user')).toHaveLength(1);
  const list = registry.watchInstances('user');
  await list.next();
  const ended = expect(list.next()).rejects.toBeInstanceOf(PermissionError);

  await etcd.etcdctl(revoke);
  proxy.cut(); // etcd looks at rights when a watch begins
  await eventually(
    () =>
      expect(registry.status('user')).toMatchObject({
        source: 'stale',
        failure: expect.any(PermissionError),
      }),
    { timeoutMs: 20_000 },
  );
  await ended;
  await writer.register({ name: 'user', id: 'b', address: 'b:1' });
  expect(await registry.discover('user')).toMatchObject([{ id: 'a' }]);
  expect(JSON.stringify(registry.status('user'))).toContain('permission denied');
  await expect(registry.discover('user', { consistency: 'linearizable' })).rejects.toBeInstanceOf(
    PermissionError,
  );
  await expect(registry.watch('user').next()).rejects.toBeInstanceOf(PermissionError);
  await expect(registry.discover('other')).rejects.toBeInstanceOf(PermissionError);

  await etcd.etcdctl(grant);
  await eventually(async () => expect(await registry.discover('user')).toHaveLength(2), {
    timeoutMs: 30_000,
  });
  expect(registry.status('user')).toMatchObject({ source: 'live', ageMs: 0 });
  expect(registry.status('user')).not.toHaveProperty('failure');
  expect(await registry.discover('other')).toEqual([]);
});

it('what a codec cannot read is logged without what it holds', async () => {
  await using etcd = await startEtcd();
  const lines: string[] = [];
  const note = (...args: unknown[]) => void lines.push(inspect(args));
  const logger = { error: note, warn: note, info: note, debug: note };
  await using client = await connect({ ...etcd.connectOptions, logger, logLevel: 'debug' });
  const registry = createRegistry(client, { codec: goKratosCodec() });
  await client.kv.put('/microservices/s/a', 'password=hunter2');
  for (const consistency of ['cached', 'linearizable'] as const) {
    expect(await registry.discover('s', { consistency })).toEqual([]);
  }
  expect(lines.filter((line) => line.includes('/microservices/s/a')).length).toBeGreaterThanOrEqual(2);
  expect(lines.join()).not.toContain('hunter2');
});
