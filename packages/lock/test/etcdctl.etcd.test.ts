import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type EtcdServer, ensureEtcd, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LockConflictError, LockNotHeldError } from '../src/index.js';
import { isSettled, party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
let etcdctlFile: string;
let folder: string;
beforeAll(async () => {
  etcd = await startEtcd();
  // A container of etcd has no shell for `etcdctl lock` to run a command with: this machine's own does it.
  const binary = await ensureEtcd();
  if (binary.etcdctlFile === undefined) {
    throw new Error(
      `no etcdctl beside ${binary.etcdFile}; install it, such as by: apt-get install etcd-client`,
    );
  }
  etcdctlFile = binary.etcdctlFile;
  folder = await mkdtemp(join(tmpdir(), 'coord-lock-'));
});
afterAll(async () => {
  await etcd.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Holds the lock by `etcdctl lock` until `release` is called, or as long as its lease lives if it is killed. */
function lockByEtcdctl(name: string) {
  const gate = join(folder, name.replaceAll('/', '_'));
  const script = 'while [ ! -e "$0" ]; do sleep 0.05; done; echo done';
  const endpoint = ['--endpoints', etcd.endpoint];
  const args = [...endpoint, 'lock', '--ttl=2', '--', `/locks/${name}`, 'sh', '-c', script, gate];
  const running = promisify(execFile)(etcdctlFile, args, { env: { ...process.env, ETCDCTL_API: '3' } });
  const done = running.then(({ stdout }) => stdout);
  done.catch(() => undefined); // reported where it is awaited
  const release = () => writeFile(gate, '');
  const kill = async () => {
    running.child.kill('SIGKILL');
    await release(); // its script ends, too
  };
  return { done, release, kill };
}

describe('etcdctl lock /locks/NAME', () => {
  it('is waited for', async () => {
    const name = uniqueName();
    const { locks, client } = await party(etcd.connectOptions);
    const { done, release } = lockByEtcdctl(name);
    await queueLength(client, name, 1);
    const [foreignKey] = await queueKeys(client, name);
    const error = await rejection(locks.tryAcquire(name));
    if (!(error instanceof LockConflictError)) throw error;
    expect(error.holder?.etcdKey).toBe(foreignKey);
    const waiting = locks.acquire(name);
    await queueLength(client, name, 2);
    expect(await isSettled(waiting)).toBe(false);
    await release();
    expect(await done).toContain('done');
    const lock = await waiting;
    expect(lock.fencingToken).toBeGreaterThan(error.holder?.fencingToken ?? 0n);
    await lock.release();
  });

  it('waits for ours', async () => {
    const name = uniqueName();
    const { locks, client } = await party(etcd.connectOptions);
    const lock = await locks.acquire(name);
    const { done, release } = lockByEtcdctl(name);
    await release();
    await queueLength(client, name, 2);
    expect(await isSettled(done)).toBe(false);
    expect(await lock.isHeld()).toBe(true);
    await lock.release();
    expect(await done).toContain('done');
    await queueLength(client, name, 0);
  });

  it('is followed by ours when it was killed while it held the lock', async () => {
    const name = uniqueName();
    const { locks, client } = await party(etcd.connectOptions);
    const { done, kill } = lockByEtcdctl(name);
    await queueLength(client, name, 1);
    const waiting = locks.acquire(name);
    await queueLength(client, name, 2);
    await kill();
    await rejection(done);
    const lock = await waiting; // its lease has ended
    expect(await queueKeys(client, name)).toEqual([lock.etcdKey]);
    await lock.release();
  });

  it('is passed by when it was killed while it waited', async () => {
    const name = uniqueName();
    const [one, two] = [await party(etcd.connectOptions), await party(etcd.connectOptions)];
    const first = await one.locks.acquire(name);
    const { done, kill } = lockByEtcdctl(name);
    await queueLength(one.client, name, 2);
    const waiting = two.locks.acquire(name);
    await queueLength(one.client, name, 3);
    await kill();
    await rejection(done);
    await queueLength(one.client, name, 2);
    expect(await isSettled(waiting)).toBe(false);
    await first.release();
    await (await waiting).release();
    await queueLength(one.client, name, 0);
  });

  it('takes turns with ours, in the order in which they came', async () => {
    const name = uniqueName();
    const [one, two] = [await party(etcd.connectOptions), await party(etcd.connectOptions)];
    const first = await one.locks.acquire(name);
    const { done, release } = lockByEtcdctl(name);
    await queueLength(one.client, name, 2);
    const third = two.locks.acquire(name);
    await queueLength(one.client, name, 3);
    await first.release();
    expect(await isSettled(third)).toBe(false); // etcdctl is before it
    await release();
    expect(await done).toContain('done');
    await (await third).release();
  });

  it('takes the place of ours when an operator deletes our key', async () => {
    const name = uniqueName();
    const { locks, client } = await party(etcd.connectOptions);
    const lock = await locks.acquire(name);
    const { done, release } = lockByEtcdctl(name);
    await queueLength(client, name, 2);
    await client.kv.delete(lock.etcdKey);
    await release();
    expect(await done).toContain('done');
    expect(await rejection(lock.release())).toBeInstanceOf(LockNotHeldError);
  });

  it('shares names with slashes, where they are raw', async () => {
    const name = `${uniqueName()}/a`;
    const { locks, client } = await party(etcd.connectOptions, { rawNames: true });
    const { done, release } = lockByEtcdctl(name);
    const waiters = async () => (await client.kv.range({ prefix: `/locks/${name}/` })).count;
    await expect.poll(waiters, { timeout: 10_000 }).toBe(1);
    const waiting = locks.acquire(name);
    await expect.poll(waiters, { timeout: 10_000 }).toBe(2);
    expect(await isSettled(waiting)).toBe(false);
    await release();
    expect(await done).toContain('done');
    await (await waiting).release();
  });
});
