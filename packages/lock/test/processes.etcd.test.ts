import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { party, queueKeys, uniqueName } from './support.js';

let etcd: EtcdServer;
const children: ChildProcess[] = [];
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Starts a process that takes the lock; resolves to it and its token. */
async function holder(name: string, ttlMs: number): Promise<{ child: ChildProcess; token: bigint }> {
  const script = fileURLToPath(new URL('holder-process.ts', import.meta.url));
  const child = fork(script, [etcd.endpoint, name, String(ttlMs)], {
    execArgv: ['--conditions=@coord/source', '--import', 'tsx'],
  });
  children.push(child);
  const [message] = await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
  return { child, token: BigInt(message.held) };
}

describe('a holder in another process', () => {
  it('that is killed gives the lock up when its TTL has passed', async () => {
    const name = uniqueName();
    const { locks } = await party(etcd.connectOptions);
    const { child, token } = await holder(name, 2_000);
    const waiting = locks.acquire(name, { timeoutMs: 20_000 });
    child.kill('SIGKILL');
    const lock = await waiting;
    expect(lock.fencingToken).toBeGreaterThan(token);
  });

  it('that was frozen can no longer write once another holds the lock', async () => {
    const name = uniqueName();
    const { locks, client } = await party(etcd.connectOptions);
    const { child, token } = await holder(name, 2_000);
    child.kill('SIGSTOP');
    const lock = await locks.acquire(name, { timeoutMs: 20_000 });
    expect(lock.fencingToken).toBeGreaterThan(token);
    const key = `/data/${name}`;
    child.send(key);
    child.kill('SIGCONT');
    const [answer] = await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
    expect(answer).toEqual({ refused: 'LockNotHeldError', lost: true });
    expect(await client.kv.get(key)).toBeUndefined();
    expect(await queueKeys(client, name)).toEqual([lock.etcdKey]);
    expect(await lock.isHeld()).toBe(true);
  });

  it('that holds on keeps writing', async () => {
    const name = uniqueName();
    const { client } = await party(etcd.connectOptions);
    const { child } = await holder(name, 2_000);
    const key = `/data/${name}`;
    child.send(key);
    const [answer] = await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
    expect(answer).toEqual({ written: true, lost: false });
    expect((await client.kv.get(key))?.text()).toBe('by the child');
  });
});
