import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuthError, type CoordClient, connect, createClient } from '../src/index.js';
import { closedAfterEach } from './closed-after-each.js';
import { SHORT_TOKENS, tokenExpired } from './token-expired.js';

let etcd: EtcdServer;
const closes = closedAfterEach();

beforeAll(async () => {
  etcd = await startEtcd(SHORT_TOKENS);
});
afterAll(async () => {
  await etcd?.stop();
});

async function connected(server = etcd): Promise<CoordClient> {
  return closes(await connect(server.connectOptions));
}

/** How many logins the server has counted, refused ones too. */
async function loginsAt(server: EtcdServer): Promise<number> {
  const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
  const counts = metrics.matchAll(/^grpc_server_handled_total\{.*grpc_method="Authenticate".*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

describe('a token that expires', () => {
  it('costs one login, however many calls find it expired', async () => {
    const client = await connected();
    await client.kv.put('/token/a', 'x');
    await tokenExpired();
    const before = await loginsAt(etcd);
    const calls = Array.from({ length: 200 }, (_, index) =>
      index % 2 === 0
        ? client.kv.get('/token/a', { coalesce: false })
        : client.kv.put(`/token/${index}`, 'x', { coalesce: false }),
    );
    await Promise.all(calls);
    expect(await loginsAt(etcd)).toBe(before + 1);
    const versions = await client.kv.range({ prefix: '/token/' });
    expect(versions.kvs.filter(({ version }) => version !== 1)).toEqual([]); // nothing was written twice
  });

  it('is renewed for streams that are opened with it, by one login for all', async () => {
    const proxy = closes(await startProxy({ target: etcd.endpoint }));
    const client = closes(await connect({ ...etcd.connectOptions, endpoints: [proxy.endpoint] }));
    const session = await client.session({ ttlMs: 6_000 });
    const watch = client.watch({ prefix: '/token/stream/' });
    await watch.ready;
    await tokenExpired();
    const before = await loginsAt(etcd);
    proxy.cut();
    await session.keepAlive({ timeoutMs: 3_000 });
    const { leaseId } = session;
    const { revision } = await eventually(() => client.kv.put('/token/stream/1', 'x', { leaseId }));
    expect((await watch[Symbol.asyncIterator]().next()).value).toMatchObject({ revision });
    expect(session.state).toBe('alive');
    expect(await loginsAt(etcd)).toBe(before + 1);
  });

  it('is survived by a client that is idle for longer than it lives: session and open watch go on', async () => {
    const client = await connected();
    const session = await client.session({ ttlMs: 6_000 });
    const watch = client.watch({ prefix: '/token/idle/' });
    await watch.ready;
    for (let round = 0; round < 3; round++) await tokenExpired(); // more than the TTL of the session
    expect(session.state).toBe('alive');
    const writer = await connected();
    const { revision } = await writer.kv.put('/token/idle/1', 'x');
    expect((await watch[Symbol.asyncIterator]().next()).value).toMatchObject({ revision });
  });
});

describe('a wrong password', () => {
  it('is told to every caller, and hardly costs the server anything', async () => {
    const client = createClient({ ...etcd.connectOptions, password: 'wrong' });
    closes(client);
    const before = await loginsAt(etcd);
    const startedAt = performance.now();
    const outcomes = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const error: unknown = await client.kv.get('a', { coalesce: false }).catch((cause: unknown) => cause);
        return error instanceof AuthError && error.message.includes('check username and password');
      }),
    );
    expect(new Set(outcomes)).toEqual(new Set([true]));
    for (let call = 0; call < 20; call++) await expect(client.kv.put('a', 'x')).rejects.toThrow(AuthError);
    // One at the start, and then with growing pauses from 100 ms.
    const allowed = 2 + Math.log2(1 + (performance.now() - startedAt) / 100);
    expect((await loginsAt(etcd)) - before).toBeLessThanOrEqual(allowed);
  });

  it('that is mended on the server is taken before long', async () => {
    const client = createClient({ ...etcd.connectOptions, username: 'late', password: 'right' });
    closes(client);
    await expect(client.kv.get('a')).rejects.toThrow(AuthError);
    await etcd.etcdctl(['user', 'add', 'late:right']);
    await etcd.etcdctl(['user', 'grant-role', 'late', 'root']);
    await eventually(() => client.kv.get('a'), { timeoutMs: 10_000 });
  });
});

describe('changes of users and roles', () => {
  it('are no reason for a call to fail, also with tokens that name the state of permissions', async () => {
    const { server } = await startWithJwt(30);
    const client = await connected(server);
    for (let round = 0; round < 3; round++) {
      await server.etcdctl(['role', 'add', `role-${round}`]); // a JWT names the revision of the permissions
      await client.kv.put('/jwt/role', String(round));
    }
    expect((await client.kv.get('/jwt/role'))?.version).toBe(3);
  });
});

describe('a JWT', () => {
  it('is renewed before it ends: no call is refused', async () => {
    const { server } = await startWithJwt(3);
    const client = await connected(server);
    const before = await loginsAt(server);
    const startedAt = performance.now();
    await eventually(
      async () => {
        await client.kv.put('/jwt/a', 'x');
        return performance.now() - startedAt > 7_000;
      },
      { timeoutMs: 30_000, intervalMs: 50 },
    );
    const logins = (await loginsAt(server)) - before;
    expect(logins).toBeGreaterThanOrEqual(2);
    expect(logins).toBeLessThanOrEqual(5);
    expect(await refusedTokens(server)).toBe(0);
  });

  it('that has ended while the client was idle costs one login and no refusal', async () => {
    const { server } = await startWithJwt(2);
    const client = await connected(server);
    await client.kv.put('/jwt/idle', 'x');
    const startedAt = performance.now();
    await eventually(() => performance.now() - startedAt > 2_500, { intervalMs: 100 });
    const before = await loginsAt(server);
    await Promise.all(Array.from({ length: 20 }, () => client.kv.get('/jwt/idle', { coalesce: false })));
    expect(await loginsAt(server)).toBe(before + 1);
    expect(await refusedTokens(server)).toBe(0);
  });
});

/** An etcd whose tokens are JWTs. */
async function startWithJwt(ttlSeconds: number): Promise<{ server: EtcdServer }> {
  const folder = await mkdtemp(join(tmpdir(), 'coord-jwt-'));
  closes({ close: () => rm(folder, { recursive: true, force: true }) });
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const [publicFile, privateFile] = [join(folder, 'public.pem'), join(folder, 'private.pem')];
  await writeFile(publicFile, pair.publicKey);
  await writeFile(privateFile, pair.privateKey);
  const jwt = `jwt,pub-key=${publicFile},priv-key=${privateFile},sign-method=RS256,ttl=${ttlSeconds}s`;
  const server = await startEtcd({ auth: true, args: [`--auth-token=${jwt}`] });
  closes({ close: () => server.stop() });
  return { server };
}

/** How many calls the server has refused for their token. */
async function refusedTokens(server: EtcdServer): Promise<number> {
  const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
  const counts = metrics.matchAll(/^grpc_server_handled_total\{.*grpc_code="Unauthenticated".*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
