import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { AbortedError, ClosedError, connect, SessionLostError, ValidationError } from '../src/index.js';
import { internalsOf } from '../src/internal.js';
import { failure } from './failure.js';
import { linesTo } from './lines.js';
import { oneEtcd } from './one-etcd.js';

const { etcd, client } = await oneEtcd();
const { proxied, behind } = linesTo(etcd);

async function leases(): Promise<string[]> {
  return (await client.etcd3.leaseClient.leaseLeases()).leases.map(({ ID }) => ID);
}

/** The leases that have come since `before`; those of earlier tests may expire at any moment. */
async function newLeases(before: readonly string[]): Promise<string[]> {
  return (await leases()).filter((id) => !before.includes(id));
}

describe('borrowed sessions', () => {
  it('are shared by kind and whole seconds, and closed one TTL after the last reference', async () => {
    const own = await connect(etcd.connectOptions);
    const { borrowSession } = internalsOf(own);
    const [a, b] = await Promise.all([borrowSession('lock', 1_500), borrowSession('lock', 2_000)]);
    const other = await borrowSession('registry', 2_000);
    expect(a.session).toBe(b.session);
    expect(other.session).not.toBe(a.session);
    a.release();
    a.release(); // counts once
    const again = await borrowSession('lock', 2_000);
    expect(again.session).toBe(b.session);
    b.release();
    expect(b.session.state).toBe('alive');
    again.release();
    const releasedAt = performance.now();
    await eventually(() => b.session.state === 'closed', { timeoutMs: 5_000 });
    expect(performance.now() - releasedAt).toBeGreaterThan(1_500);
    const fresh = await borrowSession('lock', 2_000);
    expect(fresh.session).not.toBe(b.session);
    expect(await failure(borrowSession('lock', -1))).toBeInstanceOf(ValidationError);
    await own.close();
    expect(fresh.session.state).toBe('closed');
    expect(await failure(borrowSession('lock', 2_000))).toBeInstanceOf(ClosedError);
  });

  it('are never lent when lost', async () => {
    const { borrowSession } = internalsOf(client);
    const first = await borrowSession('never-lost', 30_000);
    await client.etcd3.leaseClient.leaseRevoke({ ID: first.session.leaseId.toString() });
    await failure(first.session.keepAlive());
    const second = await borrowSession('never-lost', 30_000);
    expect(second.session.state).toBe('alive');
    first.release();
    expect(second.session.state).toBe('alive');
    second.release();
  });

  it('an aborted borrow leaves no reference, and no lease', async () => {
    const proxy = await proxied();
    const own = await behind(proxy);
    const { borrowSession } = internalsOf(own);
    const before = await leases();
    proxy.blackhole('toClient');
    const controller = new AbortController();
    const borrowing = failure(borrowSession('lock', 60_000, { signal: controller.signal }));
    await eventually(async () => expect(await newLeases(before)).toHaveLength(1));
    controller.abort();
    expect(await borrowing).toBeInstanceOf(AbortedError);
    proxy.heal();
    await eventually(async () => expect(await newLeases(before)).toEqual([]));
  });

  it('one grant serves many borrowers, and one of them who leaves disturbs no other', async () => {
    const { borrowSession } = internalsOf(client);
    const before = await leases();
    const controller = new AbortController();
    const aborted = failure(borrowSession('many', 30_000, { signal: controller.signal }));
    const borrowing = Array.from({ length: 1_000 }, () => borrowSession('many', 30_000));
    controller.abort();
    expect(await aborted).toBeInstanceOf(AbortedError);
    const refs = await Promise.all(borrowing);
    expect(new Set(refs.map(({ session }) => session)).size).toBe(1);
    expect(await newLeases(before)).toHaveLength(1);
    for (const { release } of refs) release();
    expect(refs[0]?.session.state).toBe('alive');
  });

  it('whoever borrows while it is being lost gets the next one, the same for all', async () => {
    const { borrowSession } = internalsOf(client);
    const [lost] = await Promise.all([borrowSession('losing', 30_000), borrowSession('losing', 30_000)]);
    await client.etcd3.leaseClient.leaseRevoke({ ID: lost.session.leaseId.toString() });
    const beat = failure(lost.session.keepAlive());
    const during: ReturnType<typeof borrowSession>[] = [];
    lost.session.signal.addEventListener('abort', () => during.push(borrowSession('losing', 30_000)));
    expect(await beat).toBeInstanceOf(SessionLostError);
    for (let i = 0; i < 50; i++) during.push(borrowSession('losing', 30_000));
    const sessions = new Set((await Promise.all(during)).map(({ session }) => session));
    expect(sessions.size).toBe(1);
    expect([...sessions].map(({ state }) => state)).toEqual(['alive']);
    expect(sessions.has(lost.session)).toBe(false);
    lost.release();
    expect([...sessions].map(({ state }) => state)).toEqual(['alive']);
  });

  it('a grant that fails is no session: the next borrower starts anew', async () => {
    const proxy = await proxied();
    const own = await behind(proxy);
    const { borrowSession } = internalsOf(own);
    await own.ping();
    await proxy.refuse();
    proxy.cut();
    const refused = await Promise.all([
      failure(borrowSession('failing', 30_000)),
      failure(borrowSession('failing', 30_000)),
    ]);
    expect(refused.map((error) => error instanceof Error && error.name)).toEqual([
      'ConnectionError',
      'ConnectionError',
    ]);
    await proxy.accept();
    await eventually(async () => {
      const { session, release } = await borrowSession('failing', 30_000);
      expect(session.state).toBe('alive');
      release();
    });
  });
});
