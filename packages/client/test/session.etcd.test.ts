import { eventually } from '@coord/testkit';
import { describe, expect, it, vi } from 'vitest';
import {
  AbortedError,
  ClosedError,
  NotFoundError,
  type Session,
  SessionLostError,
  ValidationError,
} from '../src/index.js';
import { failure } from './failure.js';
import { linesTo } from './lines.js';
import { oneEtcd } from './one-etcd.js';

const { etcd, client } = await oneEtcd();
const { proxied, behind } = linesTo(etcd);

function lost(session: Session): Promise<number> {
  return new Promise((resolve) => {
    session.signal.addEventListener('abort', () => resolve(performance.now()), { once: true });
  });
}

async function leases(): Promise<string[]> {
  return (await client.etcd3.leaseClient.leaseLeases()).leases.map(({ ID }) => ID);
}

/** The leases that have come since `before`; those of earlier tests may expire at any moment. */
async function newLeases(before: readonly string[]): Promise<string[]> {
  return (await leases()).filter((id) => !before.includes(id));
}

describe('a session', () => {
  it('keeps its lease alive well beyond the TTL, and reports the granted one', async () => {
    const session = await client.session({ ttlMs: 1_200 });
    expect(session.ttlMs).toBe(2_000);
    await client.kv.put('/s/alive', '', { session });
    const startedAt = performance.now();
    await eventually(
      () => {
        expect(session.state).toBe('alive');
        return performance.now() - startedAt > 5_000;
      },
      { timeoutMs: 10_000, intervalMs: 100 },
    );
    expect(await client.kv.get('/s/alive')).toBeDefined();
    expect(JSON.parse(JSON.stringify(session))).toMatchObject({ leaseId: session.leaseId.toString() });
    await session.close();
  });

  it('refuses a bad TTL, and an aborted signal before anything is sent', async () => {
    for (const ttlMs of [0, -1, Number.NaN, 2 ** 40]) {
      expect(await failure(client.session({ ttlMs }))).toBeInstanceOf(ValidationError);
    }
    const before = await leases();
    expect(await failure(client.session({ signal: AbortSignal.abort() }))).toBeInstanceOf(AbortedError);
    expect(await newLeases(before)).toEqual([]);
  });

  it('close takes its keys away at once, and may be repeated', async () => {
    const session = await client.session({ ttlMs: 60_000 });
    await client.kv.put('/s/close', '', { session });
    expect(await failure(session.close({ timeoutMs: -1 }))).toBeInstanceOf(ValidationError);
    expect(session.state).toBe('alive');
    await Promise.all([session.close(), session.close()]);
    expect(await client.kv.get('/s/close')).toBeUndefined();
    expect(session.state).toBe('closed');
    expect(session.remainingMs).toBe(0);
    expect(session.signal.reason).toBeInstanceOf(ClosedError);
    expect(() => session.assertAlive()).toThrow(SessionLostError);
    expect(await failure(session.keepAlive())).toBeInstanceOf(SessionLostError);
    await session.close();
  });

  it('close ends in time without etcd, and the keys go when the TTL has passed', async () => {
    const proxy = await proxied();
    const own = await behind(proxy);
    const session = await own.session({ ttlMs: 2_000 });
    await own.kv.put('/s/unrevoked', '', { session });
    proxy.blackhole();
    const startedAt = performance.now();
    await session.close({ timeoutMs: 300 });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(session.state).toBe('closed');
    proxy.cut(); // the revoke is gone for good
    proxy.heal();
    const { revision } = await client.kv.put('/s/unrevoked/other', '');
    expect((await client.kv.get('/s/unrevoked', { revision }))?.leaseId).toBe(session.leaseId);
    await eventually(async () => expect(await client.kv.get('/s/unrevoked')).toBeUndefined(), {
      timeoutMs: 10_000,
    });
  });

  it('orphan leaves the lease to expire', async () => {
    const session = await client.session({ ttlMs: 2_000 });
    await client.kv.put('/s/orphan', '', { session });
    session.orphan();
    expect(session.state).toBe('closed');
    expect(await client.kv.get('/s/orphan')).toBeDefined();
    await eventually(async () => expect(await client.kv.get('/s/orphan')).toBeUndefined(), {
      timeoutMs: 10_000,
    });
  });

  it('is lost at once when somebody revokes the lease and a keepalive is due', async () => {
    const session = await client.session({ ttlMs: 60_000 });
    await client.etcd3.leaseClient.leaseRevoke({ ID: session.leaseId.toString() });
    const error = await failure(session.keepAlive({ timeoutMs: 2_000 }));
    expect(error).toBeInstanceOf(SessionLostError);
    expect(String(error)).toContain('expired or revoked');
    expect(session.state).toBe('lost');
    expect(session.signal.reason).toBe(error);
  });

  it('is lost at once, and once, when a put is refused for its lease', async () => {
    const session = await client.session({ ttlMs: 60_000 });
    let fired = 0;
    session.signal.addEventListener('abort', () => fired++);
    await client.etcd3.leaseClient.leaseRevoke({ ID: session.leaseId.toString() });
    expect(await failure(client.kv.put('/s/refused', '', { session }))).toBeInstanceOf(SessionLostError);
    await eventually(() => session.state === 'lost');
    expect(await failure(client.kv.put('/s/refused', '', { session }))).toBeInstanceOf(SessionLostError);
    await session.close();
    expect([fired, session.signal.reason instanceof SessionLostError]).toEqual([1, true]);
  });

  it('is lost at once when a transaction is refused for its lease, whatever the nesting', async () => {
    const session = await client.session({ ttlMs: 60_000 });
    await client.etcd3.leaseClient.leaseRevoke({ ID: session.leaseId.toString() });
    const put = { put: { key: '/s/refused', value: '', session } };
    const nested = { success: [{ txn: { success: [put] } }] };
    expect(await failure(client.kv.txn(nested))).toMatchObject({
      name: 'SessionLostError',
      leaseId: session.leaseId,
      outcome: 'not-applied',
    });
    await eventually(() => session.state === 'lost');
    expect(await failure(client.kv.txn(nested))).toBeInstanceOf(SessionLostError);
    expect(await client.kv.get('/s/refused')).toBeUndefined();
  });

  it('is told from another one that the same transaction names', async () => {
    const [gone, alive] = [await client.session({ ttlMs: 60_000 }), await client.session({ ttlMs: 60_000 })];
    await client.etcd3.leaseClient.leaseRevoke({ ID: gone.leaseId.toString() });
    const puts = [gone, alive].map((session, i) => ({ put: { key: `/s/both/${i}`, value: '', session } }));
    expect(await failure(client.kv.txn({ success: puts }))).toBeInstanceOf(NotFoundError);
    await eventually(() => gone.state === 'lost');
    expect(alive.state).toBe('alive');
    await alive.close();
  });

  it('keepAlive resolves by an acknowledgement and moves the deadline', async () => {
    const session = await client.session({ ttlMs: 3_000 });
    await eventually(() => session.remainingMs < 2_500);
    await session.keepAlive();
    expect(session.remainingMs).toBeGreaterThan(2_500);
    await session.close();
  });
});

describe('outages', () => {
  it('a paused etcd does not make it live longer', async () => {
    const session = await client.session({ ttlMs: 2_000 });
    const startedAt = performance.now();
    const lostAt = lost(session);
    await etcd.pause();
    try {
      expect((await lostAt) - startedAt).toBeLessThan(3_000);
      expect(session.signal.reason).toBeInstanceOf(SessionLostError);
    } finally {
      await etcd.resume();
    }
    await client.ping();
  });

  it('a restart within the TTL does not lose it', async () => {
    const session = await client.session({ ttlMs: 20_000 });
    await client.kv.put('/s/restart', '', { session });
    await etcd.kill();
    await etcd.restart();
    await eventually(() => session.keepAlive({ timeoutMs: 1_000 }), { timeoutMs: 15_000 });
    expect((await client.kv.get('/s/restart'))?.leaseId).toBe(session.leaseId);
    await session.close();
  });

  it('cuts of the line do not lose it', async () => {
    const proxy = await proxied();
    const own = await behind(proxy);
    const session = await own.session({ ttlMs: 2_000 });
    for (let i = 0; i < 6; i++) {
      proxy.cut();
      await session.keepAlive({ timeoutMs: 1_500 });
    }
    expect(session.state).toBe('alive');
  });

  it('one frozen endpoint of two: it moves to the other in time', async () => {
    for (const ttlMs of [2_000, 3_000]) {
      const proxies = [await proxied(), await proxied()];
      const own = await behind(...proxies);
      const session = await own.session({ ttlMs });
      await session.keepAlive();
      const used = own.health.endpoint;
      proxies.find(({ endpoint }) => endpoint === used)?.blackhole();
      const startedAt = performance.now();
      await eventually(
        () => {
          expect(session.state).toBe('alive');
          return performance.now() - startedAt > 2 * ttlMs;
        },
        { timeoutMs: 3 * ttlMs },
      );
      expect(own.health.endpoint).not.toBe(used);
    }
  });

  it('a busy event loop is no reason to change endpoints', async () => {
    const proxies = [await proxied(), await proxied()];
    const own = await behind(...proxies);
    const session = await own.session({ ttlMs: 6_000 });
    await session.keepAlive();
    const reasons: string[] = [];
    own.health.subscribe(({ endpoints }) => {
      for (const { reason } of endpoints) if (reason) reasons.push(reason);
    });
    for (let i = 0; i < 2; i++) {
      const beat = session.keepAlive({ timeoutMs: 5_000 });
      await new Promise(setImmediate); // the keepalive is on its way
      const until = performance.now() + 1_700; // longer than the suspicion, a quarter of the TTL
      while (performance.now() < until);
      await beat;
    }
    expect(reasons).toEqual([]);
    expect(session.state).toBe('alive');
  });

  it('a stalled event loop: the state is right at the first question', async () => {
    const proxy = await proxied();
    const own = await behind(proxy);
    const session = await own.session({ ttlMs: 2_000 });
    let fired = 0;
    session.signal.addEventListener('abort', () => fired++);
    const until = performance.now() + 2_300;
    while (performance.now() < until);
    expect(session.state).toBe('lost');
    expect(() => session.assertAlive()).toThrow(SessionLostError);
    expect(fired).toBe(1);
  });

  it('a machine that was suspended does not believe in its lease', async () => {
    const session = await client.session({ ttlMs: 30_000 });
    let fired = 0;
    session.signal.addEventListener('abort', () => fired++);
    const clock = vi.spyOn(Date, 'now');
    try {
      const present = Date.now();
      clock.mockReturnValue(present + 30_000);
      expect(() => session.assertAlive()).toThrow(SessionLostError);
    } finally {
      clock.mockRestore();
    }
    expect([session.state, fired]).toEqual(['lost', 1]);
  });

  it('a lost answer to the grant leaves one lease and no error', async () => {
    const proxy = await proxied();
    const own = await behind(proxy);
    await own.ping();
    const before = await leases();
    proxy.blackhole('toClient');
    const opening = own.session({ ttlMs: 10_000 });
    await eventually(async () => expect(await newLeases(before)).toHaveLength(1));
    proxy.cut(); // the answer is gone; the grant is repeated with the same id
    proxy.heal();
    const session = await opening;
    expect(session.state).toBe('alive');
    expect(await newLeases(before)).toHaveLength(1);
    await session.keepAlive({ timeoutMs: 2_000 });
    await session.close();
    expect(await newLeases(before)).toEqual([]);
  });

  it('a grant that took longer than the TTL is refused as lost', async () => {
    const proxy = await proxied();
    const own = await behind(proxy);
    await own.ping();
    const before = await leases();
    proxy.blackhole('toClient');
    const opening = failure(own.session({ ttlMs: 2_000, timeoutMs: 10_000 }));
    await eventually(async () => expect(await newLeases(before)).toHaveLength(1));
    await eventually(async () => expect(await newLeases(before)).toEqual([]), { timeoutMs: 10_000 });
    proxy.heal();
    expect(await opening).toBeInstanceOf(SessionLostError);
  });

  it('a put whose answer was lost is unknown, also when the next attempt finds no lease', async () => {
    const proxy = await proxied();
    const own = await behind(proxy);
    const session = await own.session({ ttlMs: 20_000 });
    proxy.blackholeOpen('toClient');
    const put = own.kv.put('/session/arrived', '', { session, idempotent: true, timeoutMs: 20_000 });
    const refused = expect(put).rejects.toMatchObject({ name: 'SessionLostError', outcome: 'unknown' });
    await eventually(() => client.kv.get('/session/arrived')); // it was applied
    await client.etcd3.leaseClient.leaseRevoke({ ID: session.leaseId.toString() });
    await refused;
  });
});
