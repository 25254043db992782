/** What docs/operations/backup.md says of programs that run on while etcd is restored from a backup. */
import { cp, readFile, rm } from 'node:fs/promises';
import { type CoordClient, connect } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import { createLocks, LockConflictError, LockExpiredError } from '@coord/lock';
import { createRegistry } from '@coord/registry';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { expect, it } from 'vitest';

const LATER = { timeoutMs: 30_000 };

async function dataDirOf({ pid }: EtcdServer): Promise<string> {
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  const flag = '--data-dir=';
  const dataDir = args.find((arg) => arg.startsWith(flag))?.slice(flag.length);
  if (dataDir === undefined) throw new Error('etcd runs without --data-dir');
  return dataDir;
}

const answers = (client: CoordClient) => eventually(() => client.kv.get('/').then(() => true), LATER);

it('locks, tokens, instances and configuration are what the page says', async () => {
  await using etcd = await startEtcd({ heartbeatMs: 50, electionMs: 500 }); // it starts three times
  await using client = await connect(etcd.connectOptions);
  await using other = await connect(etcd.connectOptions);
  const locks = createLocks(client);
  const registry = createRegistry(client);
  const config = createConfigCenter(client);
  const passing = createRegistry(other, { ttlMs: 2_000 });
  const before = await locks.acquire('before');
  const released = await locks.acquire('released');
  await registry.register({ name: 'users', id: 'before', address: '10.0.0.1', port: 1 });
  await passing.register({ name: 'users', id: 'gone', address: '10.0.0.2', port: 1 });
  await config.set('prod/a', 1);

  const dataDir = await dataDirOf(etcd);
  const backup = `${dataDir}.backup`;
  await etcd.kill();
  await cp(dataDir, backup, { recursive: true });
  await etcd.restart();
  await Promise.all([answers(client), answers(other)]);

  for (let value = 2; value < 60; value++) await config.set('prod/a', value); // etcd has gone on for a while
  await released.release();
  const since = await locks.acquire('since');
  const registration = await registry.register({ name: 'users', id: 'since', address: '10.0.0.3', port: 1 });
  await createRegistry(other).updateHealth('users', 'since', 'maintenance');
  await eventually(() => registration.service.health === 'maintenance', LATER); // its owner follows its key
  await passing.close();
  await other.close();

  await etcd.kill();
  await rm(dataDir, { recursive: true });
  await cp(backup, dataDir, { recursive: true });
  await etcd.restart();
  await rm(backup, { recursive: true });
  await answers(client);

  // A lock taken since is lost, one taken before stays.
  await eventually(() => since.signal.aborted, LATER);
  expect(since.signal.reason).toBeInstanceOf(LockExpiredError);
  expect(await before.isHeld()).toBe(true);

  // One released since is held again, for as long as its session lives.
  await using newcomer = await connect(etcd.connectOptions);
  const conflict: unknown = await createLocks(newcomer)
    .tryAcquire('released')
    .catch((error: unknown) => error);
  expect(conflict).toBeInstanceOf(LockConflictError);
  await createLocks(newcomer).forceRelease('released', released.fencingToken);
  const again = await createLocks(newcomer).tryAcquire('released');
  await again.release();

  // Tokens start again from the older revision.
  const lower = await createLocks(newcomer).tryAcquire('since');
  expect(lower.fencingToken).toBeLessThan(since.fencingToken);
  await lower.release();

  // Instances that run are there, those that are gone vanish with their lease.
  await eventually(async () => {
    const found = await createRegistry(newcomer).discover('users', {
      health: 'any',
      consistency: 'linearizable',
    });
    expect(found.map(({ id }) => id).sort()).toEqual(['before', 'since']);
  }, LATER);

  expect(await config.getValue('prod/a')).toBe(1);
});
