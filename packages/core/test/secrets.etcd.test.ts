/** Secrets are used in every way, and everything fails once: they must be in nothing that is shown. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  appliedConfig,
  type ConfigCenter,
  type Coordinator,
  createClient,
  createConfigCenter,
  createConfigManager,
  createCoordinator,
  setServiceConfig,
} from '../src/index.js';
import { Canaries } from './canaries.js';
import { InMemorySdk } from './telemetry-sdk.js';

const PASSWORD = 'canary-of-the-password';
const WRONG = 'canary-of-a-wrong-password';
const VALUE = 'canary-of-a-value';
const SECRET = 'canary-of-an-encrypted-value';
const METADATA = 'canary-of-the-metadata-of-an-instance';
const ENCRYPTION_KEY = Buffer.from('canary-of-an-encryption-key-32-b');

let etcd: EtcdServer;
let folder: string;
let sdk: InMemorySdk;
let canaries: Canaries;
/** What can be seen, by what it is. */
const shown: Record<string, unknown[]> = { log: [], warnings: [], errors: [], objects: [], files: [] };

const note = (...line: unknown[]) => shown.log?.push(line);
const logger = { error: note, warn: note, info: note, debug: note };
const onWarning = (warning: Error) => shown.warnings?.push(warning);

beforeAll(async () => {
  process.on('warning', onWarning);
  folder = await mkdtemp(join(tmpdir(), 'coord-secrets-'));
  sdk = new InMemorySdk();
  etcd = await startEtcd({ auth: true, tls: true, args: ['--bcrypt-cost=4'] });
  await etcd.etcdctl(['user', 'add', `app:${PASSWORD}`]);
  await etcd.etcdctl(['role', 'add', 'app']);
  for (const prefix of ['/locks/', '/coord/', '/services/', '/config/prod/', '/app/'])
    await etcd.etcdctl(['role', 'grant-permission', 'app', 'readwrite', '--prefix=true', prefix]);
  await etcd.etcdctl(['user', 'grant-role', 'app', 'app']);
  const { caFile = '', certFile = '', keyFile = '' } = etcd.tls ?? {};
  const [ca, cert, key] = await Promise.all(
    [caFile, certFile, keyFile].map((file) => readFile(file, 'utf8')),
  );
  const [line = ''] = key?.split('\n').slice(1) ?? [];
  canaries = new Canaries({
    ...{ PASSWORD, WRONG, VALUE, SECRET, METADATA, ENCRYPTION_KEY },
    pem: line,
    header: 'PRIVATE KEY',
  });
  const login = { username: 'app', password: PASSWORD, tls: { ca, cert, key } };
  await useEverything({ endpoints: etcd.endpoints, ...login });
});
afterAll(async () => {
  process.off('warning', onWarning);
  await sdk?.stop();
  await etcd?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Login {
  readonly endpoints: readonly string[];
  readonly username: string;
  readonly password: string;
  readonly tls: Readonly<Record<'ca' | 'cert' | 'key', string | undefined>>;
}

async function useEverything(login: Login): Promise<void> {
  await using line = await startProxy({ target: etcd.target });
  const observed = { logger, logLevel: 'debug', enableTracing: true, enableMetrics: true } as const;
  const endpoints = [line.endpoint.replace(/^(?:http:\/\/)?/, 'https://')];
  const coordinator = await createCoordinator({ ...login, ...observed, endpoints, requestTimeoutMs: 2_000 });
  try {
    await failToConnect(login);
    await useKeys(coordinator);
    await useLocks(coordinator);
    await useServices(coordinator);
    await useConfiguration(coordinator);
    await etcd.restart(); // all tokens are forgotten
    await eventually(() => coordinator.config.set('prod/shop/db', { password: VALUE }, { force: true }), {
      timeoutMs: 60_000,
    });
    line.blackhole();
    await failed(
      coordinator.config.set('prod/shop/db', { password: VALUE }, { force: true, timeoutMs: 300 }),
    );
    await failed(coordinator.lock.acquire('shop', { timeoutMs: 300 }));
    line.heal();
    const { client, config, lock, registry } = coordinator;
    shown.objects?.push(coordinator, client, client.etcd3, client.kv, client.health, config, lock, registry);
  } finally {
    await coordinator.close();
  }
}

/** Remembers what it fails with. */
async function failed(call: Promise<unknown> | (() => unknown)): Promise<void> {
  const error = await Promise.resolve(call)
    .then((work) => (typeof work === 'function' ? work() : work))
    .then(
      () => expect.fail('it should have failed'),
      (reason: unknown) => reason,
    );
  shown.errors?.push(error);
}

async function failToConnect(login: Login): Promise<void> {
  const { tls, endpoints } = login;
  const attempts = [
    { ...login, password: WRONG },
    { ...login, endpoints: ['https://127.0.0.1:1'] },
    { ...login, endpoints: endpoints.map((endpoint) => endpoint.replace('https:', 'http:')), tls: undefined },
    { ...login, tls: { ...tls, ca: undefined } },
    { ...login, tls: { ...tls, serverName: 'elsewhere' } },
    { ...login, tls: { ...tls, key: tls.key?.slice(0, 200) } },
    { ...login, tls: { ...tls, cert: tls.key } },
    { ...login, tls: { ca: tls.ca, certFile: tls.cert, keyFile: tls.key } },
    { ...login, tls: { caFile: tls.key } },
    { ...login, endpoints: [`https://app:${PASSWORD}@127.0.0.1:1`] },
    { ...login, endpoints: [`app:${PASSWORD}@127.0.0.1:1`] },
    { ...login, username: undefined },
    { ...login, username: '' },
  ];
  for (const attempt of attempts)
    await failed(createCoordinator({ ...attempt, logger, dialTimeoutMs: 1_000 }));
  // Of the wrong shape: what is wrong is told by its kind.
  const shapes = [
    { password: [PASSWORD] },
    { password: { PASSWORD } },
    { password: Buffer.from(PASSWORD) },
    { tls: tls.key },
    { tls: { key: [tls.key] } },
    { tls: { key: { pem: tls.key } } },
    { pasword: PASSWORD },
  ];
  for (const shape of shapes) await failed(() => createClient(Object.assign({}, login, shape)));
}

async function useKeys({ client }: Coordinator): Promise<void> {
  await using session = await client.session();
  await using watch = client.watch({ prefix: '/app/' });
  await using cache = client.cache({ prefix: '/app/' }, { decode: (kv) => JSON.parse(kv.text()) as unknown });
  await Promise.all([watch.ready, cache.ready]);
  await client.kv.put('/app/a', VALUE, { session });
  for (const put of [
    () => client.kv.put('/foreign', VALUE),
    () => client.kv.put('/app/a', VALUE, { leaseId: 1n }),
    () => client.kv.put('/app/a', VALUE, { ignoreValue: true }),
    () => client.kv.put('/app/a', VALUE.repeat(120_000)),
    () => client.kv.put('', VALUE),
    () => client.kv.put('/app/a', VALUE, { signal: AbortSignal.abort() }),
    () => client.kv.txn({ success: [{ put: { key: '/foreign', value: VALUE } }] }),
    () => client.kv.txn({ compare: [{ key: '/foreign', target: 'value', is: '=', to: VALUE }] }),
  ]) {
    await failed(put);
  }
  shown.objects?.push(session, watch, cache);
}

async function useLocks({ lock }: Coordinator): Promise<void> {
  const held = await lock.acquire('shop', { purpose: 'a public word' });
  await held.txn({ success: [{ put: { key: '/app/guarded', value: VALUE } }] });
  await failed(held.txn({ success: [{ put: { key: '/foreign', value: VALUE } }] }));
  await failed(lock.tryAcquire('shop'));
  shown.objects?.push(held);
  await held.release();
  await failed(held.txn({ success: [{ put: { key: '/app/guarded', value: VALUE } }] }));
}

async function useServices(coordinator: Coordinator): Promise<void> {
  const { registry } = coordinator;
  const metadata = { token: METADATA };
  const service = { name: 'shop', id: 'a', address: '127.0.0.1', port: 1, metadata };
  const registration = await registry.register(service);
  await failed(registry.register({ ...service, port: -1 }));
  await failed(registry.register({ ...service, signal: METADATA } as typeof service));
  await registry.discover('shop');
  await coordinator.client.kv.put('/services/shop/bad', METADATA);
  await registry.discover('shop', { consistency: 'linearizable' });
  await setServiceConfig(registry, 'shop', { methodConfig: [{ name: [{}], timeout: '1s' }] });
  const connection = await coordinator.getConnection('shop');
  await failed(connection.waitForReady({ timeoutMs: 200 }));
  await connection.close();
  await registration.drain({ waitMs: 1 });
}

async function useConfiguration({ client }: Coordinator): Promise<void> {
  const encryption = { keys: { k: ENCRYPTION_KEY }, current: 'k' };
  const config = createConfigCenter(client, { encryption });
  const key = 'prod/shop/secret';
  await config.set(key, { password: SECRET }, { encrypt: true });
  await config.set('prod/shop/db', { password: VALUE });
  await config.setSchema('prod/shop/db', { type: 'object', properties: { password: { type: 'string' } } });
  await failed(config.compareAndSet('prod/shop/db', { password: VALUE }, 99));
  await failed(config.set('dev/shop/db', { password: VALUE }));
  await failed(config.rollback('prod/shop/db', 99));
  await failed(config.set('prod/shop/db', VALUE)); // against the schema
  await failed(createConfigCenter(client).get(key));
  for (const keys of [
    { k: ENCRYPTION_KEY.subarray(0, 31) },
    { k: ENCRYPTION_KEY.toString() },
    { k: [...ENCRYPTION_KEY] },
    { other: ENCRYPTION_KEY },
  ]) {
    await failed(() => createConfigCenter(client, Object.assign({ encryption: { ...encryption, keys } })));
  }
  const other = createConfigCenter(client, { encryption: { keys: { k: Buffer.alloc(32) }, current: 'k' } });
  await failed(other.get(key));
  await manage(config);
  shown.objects?.push(config, other);
  await Promise.all([config.close(), other.close()]);
}

async function manage(config: ConfigCenter): Promise<void> {
  const snapshotFile = join(folder, 'snapshot.json');
  const place = { env: 'prod', service: 'shop', component: 'secret', instance: 'shop-1' };
  const defaults = { password: '' };
  const manager = createConfigManager({
    ...{ config, ...place, defaults, snapshotFile, announce: true },
    validate: ({ password }) => (password.startsWith('bad') ? [{ path: 'password', message: 'is bad' }] : []),
  });
  await manager.start();
  const { version } = await config.set('prod/shop/secret', { password: `${SECRET}2` });
  await manager.waitFor(version, { timeoutMs: 20_000 }).catch(() => undefined);
  const bad = await config.set('prod/shop/secret', { password: `bad ${SECRET}` });
  await failed(manager.waitFor(bad.version, { timeoutMs: 20_000 }));
  await config.set('prod/shop/secret', { password: 5 });
  await eventually(async () => expect((await appliedConfig(config, 'prod/shop/secret')).total).toBe(1));
  shown.objects?.push(manager, manager.status);
  await manager.stop();
  shown.files?.push(await readFile(snapshotFile));
}

describe('passwords, tokens, keys and values are in nothing that is shown', () => {
  it.each(Object.keys(shown))('%s', (kind) => {
    if (kind !== 'warnings') expect(shown[kind]?.length).toBeGreaterThan(0);
    const leaks = shown[kind]?.map((each) => [...canaries.foundIn(each), String(Object(each))]);
    expect(leaks?.filter(({ length }) => length > 1)).toEqual([]);
  });

  it('spans and metrics', async () => {
    const spans = sdk.spans.map(({ name, attributes, status, events, links, resource }) => {
      return { name, attributes, status, events, links, resource };
    });
    const names = new Set(spans.map(({ name }) => name));
    for (const name of ['lock.acquire', 'config.set', 'config.update', 'registry.register', 'kv.put'])
      expect(names).toContain(`coord.${name}`);
    expect(canaries.foundIn(spans)).toEqual([]);
    expect(canaries.foundIn(await sdk.collect())).toEqual([]);
  });

  it('what is encrypted, in etcd', async () => {
    const args = ['get', '--prefix', '', '--write-out=json'];
    const found = JSON.stringify(await etcd.etcdctl(args));
    expect(canaries.foundIn(found)).toContain('VALUE');
    for (const name of ['SECRET', 'ENCRYPTION_KEY', 'PASSWORD', 'pem'])
      expect(canaries.foundIn(found)).not.toContain(name);
  });
});

describe('what were shown would be found', () => {
  it.each<[string, unknown]>([
    ['in a text', `user app, password ${PASSWORD}`],
    ['in the cause of an error', new Error('a', { cause: new AggregateError([new Error(PASSWORD)]) })],
    ['in the stack of an error', Object.assign(new Error('a'), { stack: PASSWORD })],
    ['in bytes', { buffer: Buffer.from(`x${PASSWORD}`.padEnd(200)) }],
    ['in bytes of another kind', new Map([['k', new Uint8Array(Buffer.from(PASSWORD))]])],
    ['in a property that does not show', Object.defineProperty({}, 'hidden', { value: { PASSWORD } })],
    ['under a symbol', { [Symbol('s')]: new Set([PASSWORD]) }],
    [
      'in base64',
      ['', 'x', 'xy'].map((before) => Buffer.from(`${before}${PASSWORD}`).toString('base64')).at(1),
    ],
    ['in hex', Buffer.from(PASSWORD).toString('hex')],
    ['far down', JSON.parse(`${'['.repeat(100)}"${PASSWORD}"${']'.repeat(100)}`)],
    ['by what makes its JSON', { toJSON: () => ({ PASSWORD }) }],
  ])('%s', (_, leak) => expect(canaries.foundIn(leak)).toEqual(['PASSWORD']));

  it('a token, too', () => {
    expect(canaries.foundIn({ authorization: 'aBcDeFgHiJkLmNoP.123' })).toEqual(['token']);
  });
});
