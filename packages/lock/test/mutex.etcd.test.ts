import { AbortedError, ClosedError, ConflictError, CoordError, ValidationError } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocks, type Lock, LockConflictError, LockNotHeldError } from '../src/index.js';
import { isSettled, party, queueKeys, queueLength, rejection, uniqueName } from './support.js';

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

const open = (config?: Parameters<typeof party>[1]) => party(etcd.connectOptions, config);

describe('acquire', () => {
  it('serves several clients in the order in which they came, with rising tokens', async () => {
    const name = uniqueName();
    const [holder, ...clients] = await Promise.all([open(), open(), open(), open()]);
    const first = await holder.locks.acquire(name);
    const order: number[] = [];
    const tokens = [first.fencingToken];
    const waiters: Promise<void>[] = [];
    for (let i = 0; i < 9; i++) {
      const { locks, client } = clients[i % 3] ?? clients[0];
      waiters.push(
        locks.acquire(name).then(async (lock) => {
          order.push(i);
          tokens.push(lock.fencingToken);
          expect(await queueKeys(client, name)).toEqual(expect.arrayContaining([lock.etcdKey]));
          await lock.release();
        }),
      );
      if (i < 3) await queueLength(clients[0].client, name, i + 2);
    }
    await first.release();
    await Promise.all(waiters);
    // Among clients in the order of the queue in etcd, within a client in the order of the calls.
    expect(order.slice(0, 3)).toEqual([0, 1, 2]);
    for (const client of [0, 1, 2]) {
      const own = order.filter((i) => i % 3 === client);
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
    expect(tokens).toHaveLength(10);
    for (let i = 1; i < tokens.length; i++) expect(tokens[i]).toBeGreaterThan(tokens[i - 1] ?? 0n);
    expect(await queueKeys(clients[0].client, name)).toEqual([]);
  });

  it('never lets two in at once', async () => {
    const name = uniqueName();
    const clients = await Promise.all([open(), open(), open()]);
    let inside = 0;
    let most = 0;
    await Promise.all(
      clients.flatMap(({ locks, client }) =>
        Array.from({ length: 5 }, async () => {
          await locks.withLock(name, async () => {
            inside += 1;
            most = Math.max(most, inside);
            await client.kv.get('anything');
            inside -= 1;
          });
        }),
      ),
    );
    expect(most).toBe(1);
  });

  it('has one key in etcd for all waiters of a client', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const first = await a.locks.acquire(name);
    const order: string[] = [];
    const note = (who: string) => async (lock: Lock) => {
      order.push(who);
      if (who === 'b1') await queueLength(a.client, name, 2); // the other client has come, too
      await lock.release();
    };
    const waiting = ['b1', 'b2', 'b3'].map((who) => b.locks.acquire(name).then(note(who)));
    await queueLength(a.client, name, 2);
    waiting.push(a.locks.acquire(name).then(note('a')));
    expect(await isSettled(Promise.race(waiting))).toBe(false);
    expect(await queueKeys(a.client, name)).toHaveLength(2);
    await first.release();
    await Promise.all(waiting);
    // Each client has one turn a round.
    expect(order).toEqual(['b1', 'a', 'b2', 'b3']);
    expect(await queueKeys(a.client, name)).toEqual([]);
  });

  it('excludes two holders of one client', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const first = await locks.acquire(name);
    const second = locks.acquire(name);
    expect(await rejection(locks.tryAcquire(name))).toBeInstanceOf(LockConflictError);
    await first.release();
    const lock = await second;
    expect(lock.fencingToken).toBeGreaterThan(first.fencingToken);
    await lock.release();
    expect(await queueKeys(client, name)).toEqual([]);
  });

  it('keeps names apart that share a beginning', async () => {
    const name = uniqueName();
    const { locks } = await open();
    const held = await Promise.all(
      [name, `${name}/b`, `${name}%2Fb`, `${name}/b/c`, `${name} ü 锁`].map((key) => locks.tryAcquire(key)),
    );
    expect(held[1]?.etcdKey.startsWith(`/locks/${name}%2Fb/`)).toBe(true);
    expect(held[2]?.etcdKey.startsWith(`/locks/${name}%252Fb/`)).toBe(true);
    expect(held.map((lock) => lock.key)).toContain(`${name}/b`);
  });

  it('takes the token from the create revision of its key, and puts it on a lease', async () => {
    const { locks, client } = await open();
    const lock = await locks.acquire(uniqueName(), { ttlMs: 4_500 });
    const kv = await client.kv.get(lock.etcdKey);
    expect(kv?.createRevision).toBe(lock.fencingToken);
    expect(kv?.leaseId).not.toBe(0n);
    expect(lock.etcdKey).toMatch(/^\/locks\/[^/]+\/[0-9a-f]+-[0-9a-f-]{36}$/);
    expect(await lock.ttl()).toBeGreaterThan(3_000);
    expect(await lock.ttl()).toBeLessThanOrEqual(5_000);
    expect(await lock.isHeld()).toBe(true);
    expect(await lock.isExpired()).toBe(false);
    expect(JSON.parse(JSON.stringify(lock))).toMatchObject({
      key: lock.key,
      fencingToken: lock.fencingToken.toString(),
      state: 'held',
    });
  });

  it("stays within its client's namespace", async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), party({ ...etcd.connectOptions, namespace: '/app' })]);
    const [outside, inside] = await Promise.all([a.locks.tryAcquire(name), b.locks.tryAcquire(name)]);
    expect(inside.etcdKey.startsWith('/locks/')).toBe(true);
    expect(await a.client.kv.get(`/app${inside.etcdKey}`)).toBeDefined();
    await Promise.all([outside.release(), inside.release()]);
    expect((await a.client.kv.range({ prefix: '/app/' })).count).toBe(0);
  });

  it('stores its keys under another prefix on request', async () => {
    const name = uniqueName();
    const { locks, client } = await open({ keyPrefix: '/team/locks' });
    const lock = await locks.acquire(name);
    expect(await queueKeys(client, name, '/team/locks')).toEqual([lock.etcdKey]);
  });
});

describe('tryAcquire', () => {
  it('names the holder', async () => {
    const name = uniqueName();
    const [a, b] = await Promise.all([open(), open()]);
    const lock = await a.locks.acquire(name, { purpose: 'nightly report' });
    const error = await rejection(b.locks.tryAcquire(name));
    if (!(error instanceof LockConflictError)) throw error;
    expect(error).toBeInstanceOf(ConflictError);
    expect(CoordError.is(error)).toBe(true);
    expect(error.name).toBe('LockConflictError');
    expect(error.key).toBe(name);
    expect(error.message).toContain('nightly report');
    expect(error.message).toContain(`pid ${process.pid}`);
    expect(error.holder).toMatchObject({
      etcdKey: lock.etcdKey,
      fencingToken: lock.fencingToken,
      pid: process.pid,
      purpose: 'nightly report',
    });
    expect(JSON.stringify(error.holder)).toContain(lock.fencingToken.toString());
    expect(await queueKeys(a.client, name)).toEqual([lock.etcdKey]);
  });

  it('yields to a foreign key of any content', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    for (const value of ['', '{', '[]', '{"pid":"x","since":"never"}']) {
      await client.kv.put(`/locks/${name}/foreign`, value);
      const error = await rejection(locks.tryAcquire(name));
      if (!(error instanceof LockConflictError)) throw error;
      expect(error.holder?.etcdKey).toBe(`/locks/${name}/foreign`);
      expect(error.holder?.pid).toBeUndefined();
    }
    await client.kv.delete(`/locks/${name}/foreign`);
    await (await locks.tryAcquire(name)).release();
  });

  it('lets exactly one of many in', async () => {
    const name = uniqueName();
    const clients = await Promise.all([open(), open()]);
    const attempts = clients.flatMap(({ locks }) => Array.from({ length: 8 }, () => locks.tryAcquire(name)));
    const results = await Promise.allSettled(attempts);
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(LockConflictError);
    }
  });
});

describe('release', () => {
  it('resolves again after success, under both names', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const lock = await locks.acquire(name);
    await Promise.all([lock.release(), lock.unlock()]);
    await lock.release();
    await lock[Symbol.asyncDispose]();
    expect(lock.signal.aborted).toBe(false);
    expect(await lock.isHeld()).toBe(false);
    expect(await lock.isExpired()).toBe(false);
    expect(await lock.ttl()).toBe(0);
    expect(await lock.renew()).toBe(false);
    expect(() => lock.assertHeld()).toThrow(LockNotHeldError);
    expect(await rejection(lock.txn({}))).toBeInstanceOf(LockNotHeldError);
    expect(await queueKeys(client, name)).toEqual([]);
  });

  it("leaves a successor's key alone", async () => {
    const name = uniqueName();
    const { locks } = await open();
    const first = await locks.acquire(name);
    await first.release();
    const second = await locks.acquire(name);
    await first.release();
    await first.unlock();
    expect(await second.isHeld()).toBe(true);
  });

  it('costs neither a grant nor a revoke', async () => {
    const { locks, client } = await open();
    const first = await locks.acquire(uniqueName());
    const leaseOf = async (lock: Lock) => (await client.kv.get(lock.etcdKey))?.leaseId;
    const leaseId = await leaseOf(first);
    await first.release();
    const second = await locks.acquire(uniqueName());
    expect(await leaseOf(second)).toBe(leaseId);
  });
});

describe('withLock', () => {
  it("returns fn's result, and releases", async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const result = await locks.withLock(name, async (lock) => {
      lock.assertHeld();
      expect(await queueKeys(client, name)).toEqual([lock.etcdKey]);
      return 42;
    });
    expect(result).toBe(42);
    expect(await locks.withLock(name, { ttlMs: 3_000 }, () => 'sync')).toBe('sync');
    expect(await queueKeys(client, name)).toEqual([]);
  });

  it("throws fn's own error, and releases", async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const failure = new Error('mine');
    const failing = locks.withLock(name, () => {
      throw failure;
    });
    expect(await rejection(failing)).toBe(failure);
    expect(await queueKeys(client, name)).toEqual([]);
  });

  it('hides neither behind a lost lock', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const lose = async (lock: Lock) => {
      await client.kv.delete(lock.etcdKey);
      return 'done';
    };
    expect(await locks.withLock(name, lose)).toBe('done');
    const failure = new Error('mine');
    const loseAndFail = async (lock: Lock) => {
      await lose(lock);
      throw failure;
    };
    expect(await rejection(locks.withLock(name, loseAndFail))).toBe(failure);
  });
});

describe('validation', () => {
  it('rejects bad input before any I/O, naming every problem', async () => {
    const { locks } = await open();
    // What a caller without types could pass.
    const loose: { acquire(key: unknown, options?: unknown): Promise<unknown> } = {
      acquire: (key, options) => Reflect.apply(locks.acquire, locks, [key, options]),
    };
    for (const key of ['', '.', '..', 'a\0b', '\ud800', 'x'.repeat(513), 7, undefined, null]) {
      expect(await rejection(loose.acquire(key))).toBeInstanceOf(ValidationError);
    }
    for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '10', null]) {
      for (const field of ['ttlMs', 'timeoutMs']) {
        const error = await rejection(loose.acquire('ok', { [field]: ms }));
        if (!(error instanceof ValidationError)) throw error;
        expect(error.issues.map((issue) => issue.path)).toEqual([field]);
      }
    }
    const several = await rejection(loose.acquire('', { ttlMs: 0, timeoutMs: -1, purpose: 5, signal: 'no' }));
    if (!(several instanceof ValidationError)) throw several;
    expect(several.issues.map((issue) => issue.path).sort()).toEqual([
      'key',
      'purpose',
      'signal',
      'timeoutMs',
      'ttlMs',
    ]);
    expect(await rejection(loose.acquire('ok', 'soon'))).toBeInstanceOf(ValidationError);
    expect(await rejection(Reflect.apply(locks.withLock, locks, ['ok', {}, 'no function']))).toBeInstanceOf(
      ValidationError,
    );
  });

  it('throws for bad configuration', async () => {
    const { client } = await open();
    for (const keyPrefix of ['locks', '', '/', '/locks/', '/a//b', '/coord', '/coord/locks', '/a/../b']) {
      expect(() => createLocks(client, { keyPrefix })).toThrow(ValidationError);
    }
    for (const defaultTtlMs of [0, -1, Number.NaN]) {
      expect(() => createLocks(client, { defaultTtlMs })).toThrow(ValidationError);
    }
  });
});

describe('close', () => {
  it('ends waits, tells holders, releases, and refuses what comes later', async () => {
    const name = uniqueName();
    const other = await open();
    const { locks, client } = await open();
    const held = await locks.acquire(name);
    const { signal } = held;
    const waiting = rejection(locks.acquire(name));
    const behind = other.locks.acquire(name);
    await queueLength(client, name, 2);
    await Promise.all([locks.close(), locks.close()]);
    expect(await waiting).toBeInstanceOf(ClosedError);
    expect(signal.aborted).toBe(true);
    await held.release();
    expect(await rejection(locks.acquire(name))).toBeInstanceOf(ClosedError);
    const lock = await behind;
    expect(await queueKeys(client, name)).toEqual([lock.etcdKey]);
    await locks[Symbol.asyncDispose]();
  });

  it('refuses a holder who acquires again the moment it is told', async () => {
    const name = uniqueName();
    const { locks, client } = await open();
    const { signal } = await locks.acquire(name);
    const again = new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(rejection(locks.acquire(name))), { once: true });
    });
    await locks.close();
    expect(await again).toBeInstanceOf(ClosedError);
    expect(await queueKeys(client, name)).toEqual([]);
  });

  it('refuses a signal that has already fired', async () => {
    const { locks } = await open();
    const error = await rejection(locks.close({ signal: AbortSignal.abort() }));
    expect(error).toBeInstanceOf(AbortedError);
  });
});
