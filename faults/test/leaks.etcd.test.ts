import { createClient } from '@coord/client';
import { createLocks } from '@coord/lock';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { leaksIn, leftBehind, leftNow } from '../src/run/leaks.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());

it('whatever a client leaves is found, and nothing else', async () => {
  const { endpoints } = etcd;
  expect(await leftNow(endpoints)).toEqual({ leases: 0, leasedKeys: [], watchers: 0, streams: 0 });
  const client = createClient({ endpoints });
  await client.kv.put('/kept', '');
  expect(leaksIn(await leftNow(endpoints))).toEqual([]);

  const watch = client.watch('/kept');
  await watch.ready;
  expect(await leftNow(endpoints)).toMatchObject({ leases: 0, watchers: 1, streams: 1 });
  const session = await client.session();
  expect(await leftNow(endpoints)).toMatchObject({ leases: 1, leasedKeys: [], watchers: 1 });
  const lock = await createLocks(client, { defaultTtlMs: 2_000 }).acquire('a');
  const { leases, leasedKeys } = await leftBehind(endpoints, 1);
  expect({ leases, leasedKeys }).toEqual({ leases: 2, leasedKeys: [lock.etcdKey] });
  await eventually(async () => expect((await leftNow(endpoints)).streams).toBe(2));
  expect(leaksIn(await leftNow(endpoints)).map(({ what }) => what)).toEqual([
    'etcd still has 2 leases',
    `etcd still has keys on leases: ${lock.etcdKey}`,
    expect.stringMatching(/^etcd still has \d+ watchers$/),
    'etcd still has 2 streams',
  ]);

  await session.close();
  await lock.release();
  await client.close();
  expect(leaksIn(await leftBehind(endpoints))).toEqual([]);
});
