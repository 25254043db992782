import { eventually, startEtcd } from '@coord/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { AuthError, connect, createClient, PermissionError } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';
import { failure } from './failure.js';
import { linesTo } from './lines.js';
import { oneEtcd } from './one-etcd.js';
import { SHORT_TOKENS, tokenExpired } from './token-expired.js';

const { etcd, client } = await oneEtcd(SHORT_TOKENS);
const closes = closedAfterEach();
const { proxied } = linesTo(etcd, closes);

beforeAll(async () => {
  await etcd.etcdctl(['user', 'add', 'reader:secret']);
  await etcd.etcdctl(['role', 'add', 'reader']);
  await etcd.etcdctl(['role', 'grant-permission', 'reader', 'read', '/open/', '/open0']);
  await etcd.etcdctl(['user', 'grant-role', 'reader', 'reader']);
});

describe('logging in', () => {
  it('a wrong password is an AuthError that says what to check, never the password', async () => {
    const error = await failure(connect({ ...etcd.connectOptions, password: 'hunter2' }));
    expect(error).toBeInstanceOf(AuthError);
    expect(String(error)).toContain('check username and password');
    expect(String(error)).not.toContain('hunter2');
  });

  it('no password where one is needed is an AuthError with the remedy', async () => {
    const error = await failure(connect({ endpoints: etcd.endpoints }));
    expect(error).toBeInstanceOf(AuthError);
    expect(String(error)).toContain('give username and password');
  });

  it('a dead endpoint does not fail the login at a live one', async () => {
    const [dead, frozen] = [await proxied(), await proxied()];
    await dead.refuse();
    frozen.blackhole();
    const endpoints = [dead.endpoint, frozen.endpoint, etcd.endpoint];
    const own = closes(await connect({ ...etcd.connectOptions, endpoints }));
    expect(own.health.endpoint).toBe(etcd.endpoint);
  });

  it('a lazy client whose login freezes goes on at another endpoint', async () => {
    for (let i = 0; i < 4; i++) {
      // the first endpoint is chosen at random
      const frozen = await proxied();
      frozen.blackhole();
      const endpoints = [frozen.endpoint, etcd.endpoint];
      const own = createClient({ ...etcd.connectOptions, endpoints, requestTimeoutMs: 3_000 });
      closes(own);
      await own.kv.get('/auth/lazy');
      expect(own.health.endpoint).toBe(etcd.endpoint);
    }
  });

  it('credentials that an open server does not ask for are no error', async () => {
    const open = await startEtcd();
    closes({ close: () => open.stop() });
    const own = closes(await connect({ ...open.connectOptions, username: 'root', password: 'root' }));
    await own.kv.put('a', 'b');
    await open.etcdctl(['user', 'add', 'root:root']);
    await open.etcdctl(['user', 'grant-role', 'root', 'root']);
    await open.etcdctl(['auth', 'enable']);
    expect((await own.kv.get('a'))?.text()).toBe('b'); // it logs in when it is asked to
    await open.etcdctl(['--user', 'root:root', 'auth', 'disable']);
  });

  it('a watch with a wrong password throws from the loop', async () => {
    const own = createClient({ ...etcd.connectOptions, password: 'wrong' });
    closes(own);
    const watch = own.watch('a');
    expect(await failure(watch.ready)).toBeInstanceOf(AuthError);
    expect(await failure(watch[Symbol.asyncIterator]().next())).toBeInstanceOf(AuthError);
  });
});

describe('a user who is removed', () => {
  it('ends the watches, also one that has to ask first whether its past is still there', async () => {
    await etcd.etcdctl(['user', 'add', 'leaver:secret']);
    await etcd.etcdctl(['user', 'grant-role', 'leaver', 'reader']);
    const own = closes(await connect({ ...etcd.connectOptions, username: 'leaver', password: 'secret' }));
    const present = own.watch({ prefix: '/open/' });
    await present.ready;
    await etcd.etcdctl(['user', 'delete', 'leaver']);
    const past = own.watch({ prefix: '/open/' }, { startRevision: 1n });
    for (const watch of [past, present]) {
      expect(await failure(watch[Symbol.asyncIterator]().next())).toBeInstanceOf(AuthError);
    }
  });
});

describe('permissions', () => {
  it('connects, and refuses what the role does not allow', async () => {
    const reader = closes(await connect({ ...etcd.connectOptions, username: 'reader', password: 'secret' }));
    await client.kv.put('/open/a', 'b');
    expect((await reader.kv.get('/open/a'))?.text()).toBe('b');
    expect(await failure(reader.kv.put('/open/a', 'c'))).toBeInstanceOf(PermissionError);
    expect(await failure(reader.kv.get('/closed'))).toBeInstanceOf(PermissionError);
  });

  it('a refused watch fails alone', async () => {
    const reader = closes(await connect({ ...etcd.connectOptions, username: 'reader', password: 'secret' }));
    const allowed = reader.watch({ prefix: '/open/' });
    const refused = reader.watch({ prefix: '/closed/' });
    const [later] = [reader.watch('/open/later')];
    expect(await failure(refused[Symbol.asyncIterator]().next())).toBeInstanceOf(PermissionError);
    expect(await failure(refused.ready)).toBeInstanceOf(PermissionError);
    await allowed.ready;
    await later?.ready;
    const { revision } = await client.kv.put('/open/after', 'x');
    expect((await allowed[Symbol.asyncIterator]().next()).value).toMatchObject({ revision });
  });
});

describe('a token that expires', () => {
  it('is survived by calls, watches and sessions', async () => {
    const proxy = await proxied();
    const own = closes(await connect({ ...etcd.connectOptions, endpoints: [proxy.endpoint] }));
    const session = await own.session({ ttlMs: 3_000 });
    const watch = own.watch({ prefix: '/expiry/' });
    await watch.ready;
    await tokenExpired();
    await Promise.all([1, 2, 3].map((i) => own.kv.put(`/expiry/${i}`, '', { session })));
    await tokenExpired();
    const late = own.watch('/expiry/late'); // created with an expired token
    await late.ready;
    await tokenExpired();
    proxy.cut(); // every stream opens again, with an expired token
    const { revision } = await client.kv.put('/expiry/late', 'x');
    const seen: string[] = [];
    for await (const batch of watch) {
      for (const { key } of batch.events) seen.push(key);
      if (batch.revision === revision) break;
    }
    expect(seen.sort()).toEqual(['/expiry/1', '/expiry/2', '/expiry/3', '/expiry/late']);
    expect((await late[Symbol.asyncIterator]().next()).value).toMatchObject({ revision });
    expect(session.state).toBe('alive');
    await session.keepAlive({ timeoutMs: 2_000 });
  });

  it('a restart of etcd, which forgets all tokens, is survived too', async () => {
    const session = await client.session({ ttlMs: 20_000 });
    const watch = client.watch({ prefix: '/restart/' });
    await watch.ready;
    await etcd.kill();
    await etcd.restart();
    await eventually(() => client.kv.put('/restart/a', 'b', { session }), { timeoutMs: 15_000 });
    expect((await watch[Symbol.asyncIterator]().next()).value).toMatchObject({
      events: [{ type: 'put', key: '/restart/a' }],
    });
    await session.keepAlive({ timeoutMs: 5_000 });
    await session.close();
  });
});
