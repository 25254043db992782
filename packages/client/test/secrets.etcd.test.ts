import { inspect } from 'node:util';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CoordClient, connect, createClient } from '../src/index.js';

const PASSWORD = 'canary-password';
const WRONG = 'canary-wrong-password';
const VALUE = 'canary-value';
/** What etcd hands out for a password: https://etcd.io/docs/v3.5/learning/design-auth-v3 */
const TOKEN = /\b[A-Za-z]{16}\.\d+\b/;

let etcd: EtcdServer;
let client: CoordClient;
const told: unknown[][] = [];
const tell = (...args: unknown[]) => told.push(args);
const logger = { error: tell, warn: tell, info: tell, debug: tell };

beforeAll(async () => {
  etcd = await startEtcd({ auth: true, authTokenTtlSeconds: 1 });
  await etcd.etcdctl(['user', 'add', `app:${PASSWORD}`]);
  await etcd.etcdctl(['role', 'add', 'app']);
  await etcd.etcdctl(['role', 'grant-permission', 'app', 'readwrite', '/app/', '/app0']);
  await etcd.etcdctl(['user', 'grant-role', 'app', 'app']);
  const endpoints = [etcd.endpoint];
  client = await connect({ endpoints, username: 'app', password: PASSWORD, logger, logLevel: 'debug' });
});
afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => expect.fail('resolved'),
    (error: unknown) => error,
  );
}

it('passwords, tokens, keys of certificates and values are in no log, no error, and not in a client that is printed', async () => {
  const { endpoint } = etcd;
  const wrong = { endpoints: [endpoint], username: 'app', password: WRONG, logger };
  const gone = { leaseId: 1n };
  const shown: unknown[] = [
    await failure(connect(wrong)),
    await failure(connect({ ...wrong, endpoints: ['127.0.0.1:1'] }, { timeoutMs: 300 })),
    await failure(client.kv.put('/foreign', VALUE)),
    await failure(client.kv.put('/app/a', VALUE, gone)),
    await failure(client.kv.put('/app/a', VALUE, { ignoreValue: true })),
    await failure(client.kv.put('/app/a', VALUE.repeat(200_000))),
    await failure(client.kv.put('', VALUE)),
    await failure(client.kv.txn({ success: [{ put: { key: '/foreign', value: VALUE } }] })),
    await failure(client.kv.put('/app/a', VALUE, { signal: AbortSignal.abort() })),
  ];
  await client.kv.put('/app/b', VALUE);
  const cache = client.cache({ prefix: '/app/' }, { decode: (kv) => JSON.parse(kv.text()) as unknown });
  await cache.ready;
  expect(cache.get('/app/b')).toBeUndefined();
  const session = await client.session();
  const watch = client.watch({ prefix: '/app/' });
  await watch.ready;
  await etcd.restart(); // all tokens are forgotten
  await client.kv.put('/app/c', VALUE);
  const lazy = createClient({ endpoints: ['127.0.0.1:1'], tls: { cert: 'x', key: VALUE } });
  shown.push(client, client.kv, client.health, cache, session, watch, lazy, told);
  await Promise.all([cache.close(), session.close(), watch.close(), lazy.close()]);

  expect(told.length).toBeGreaterThan(0);
  for (const each of shown) {
    const texts = [inspect(each, { depth: 12, maxStringLength: null, maxArrayLength: null })];
    if (each instanceof Error) texts.push(each.message, each.stack ?? '', JSON.stringify(each));
    for (const text of texts) {
      for (const secret of [PASSWORD, WRONG, VALUE]) expect(text).not.toContain(secret);
      expect(text).not.toMatch(TOKEN);
    }
  }
});
