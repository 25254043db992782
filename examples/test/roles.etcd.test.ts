/** The roles and the table of keys that docs/operations names, on an etcd with users. */
import { type CoordClient, connect, createClient, PermissionError } from '@coord/client';
import { type EtcdServer, eventually, type Proxy as Line, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tableOf } from './document.js';
import { commands, grantsOf, roles } from './documented-roles.js';
import { uses } from './role-uses.js';

const keyPatterns = tableOf('docs/operations/keys.md').map(([key = '', lease = '']) => ({
  key: key.replaceAll('`', ''),
  leased: !lease.startsWith('none'),
}));

const allows = (role: string, right: 'read' | 'write', key: string) =>
  grantsOf(role).some(
    (grant) => grant.rights.includes(right) && (grant.prefix ? key.startsWith(grant.key) : key === grant.key),
  );

/** Of each kind one that no test writes, and neighbours of what the roles allow. */
const strangers = [
  ...[
    '/',
    '/other',
    '/locks',
    '/locksmith/a',
    '/coord',
    '/coord/lock',
    '/coord/locks',
    '/services',
    '/servicesx/a',
  ],
  ...[
    '/services/user-servic',
    '/services/user-service2/a',
    '/services/other/a',
    '/config',
    '/configx/a',
    '/config/prod',
  ],
  ...[
    '/config/prod/orders2/http',
    '/config/prod/_sharedx/http',
    '/config/prod/other/http',
    '/config/dev/orders/http',
  ],
  ...['/coord/config/meta/prod/other/http', '/coord/config/gray/prod/orders/https', '/coord/configx/a'],
  ...['/coord/config/over/prod/orders/https/@/x', '/coord/config/ack/prod/orders/http2/@/x'],
  ...keyPatterns.map(({ key }) =>
    key.replaceAll(/<(?:service|name|key)>/g, 'prod').replaceAll(/<\w+>/g, 'x'),
  ),
];

/** Every key that was written, and whether it had a lease. */
const written = new Map<string, boolean>();
const name = (role: string) => `user-of-${role}`;
let etcd: EtcdServer;
let line: Line;
let root: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd({ auth: true, args: ['--bcrypt-cost=4'] });
  line = await startProxy({ target: etcd.endpoint });
  for (const command of commands) await etcd.etcdctl(command);
  for (const role of roles) {
    await etcd.etcdctl(['user', 'add', `${name(role)}:secret`]);
    await etcd.etcdctl(['user', 'grant-role', name(role), role]);
  }
  root = await connect(etcd.connectOptions);
  const watch = root.watch({ prefix: '' });
  await watch.ready;
  void (async () => {
    for await (const { events } of watch) {
      for (const { type, key, kv } of events) if (type === 'put') written.set(key, kv.leaseId !== 0n);
    }
  })().catch(() => undefined); // it ends with the client
});

afterAll(async () => {
  await root?.close();
  await line?.close();
  await etcd?.stop();
});

/** A client with one role. Its line can be cut off. */
const as = (role: string) =>
  connect({ endpoints: [line.endpoint], username: name(role), password: 'secret' });

it('the page has a use for each of its roles', () => {
  expect(Object.keys(uses).sort()).toEqual([...roles].sort());
});

describe('the role suffices for its package', () => {
  it.each(Object.keys(uses))('%s', async (role) => {
    await using client = await as(role);
    await uses[role]?.(client, { root, line, written, as });
  });
});

describe('the role holds its user in', () => {
  it.each(Object.keys(uses))('%s', async (role) => {
    await using client = await as(role);
    const outcome = (call: Promise<unknown>) =>
      call.then(
        () => 'done',
        (error: Error) => error.name,
      );
    const wanted = (allowed: boolean) => (allowed ? 'done' : 'PermissionError');
    const checks = strangers.flatMap((key) => [
      [`read ${key}`, wanted(allows(role, 'read', key)), outcome(client.kv.get(key))] as const,
      ...(allows(role, 'write', key)
        ? []
        : [
            [`write ${key}`, 'PermissionError', outcome(client.kv.put(key, ''))] as const,
            [`delete ${key}`, 'PermissionError', outcome(client.kv.delete(key))] as const,
          ]),
    ]);
    const answers = await Promise.all(checks.map(async ([what, , answer]) => `${what}: ${await answer}`));
    expect(answers).toEqual(checks.map(([what, expected]) => `${what}: ${expected}`));
    for (const range of ['/other', { prefix: '/' }] as const) {
      await using watch = client.watch(range);
      await expect(watch.ready).rejects.toBeInstanceOf(PermissionError);
    }
    expect((await root.kv.range({ prefix: '/other' })).count).toBe(0);
  });
});

it('what was written is what the table of keys says, and all of it', async () => {
  const patterns = keyPatterns.map(({ key, leased }) => {
    const text = key.replaceAll('.', '\\.').replaceAll('<key>', '.+').replaceAll(/<\w+>/g, '[^/]+');
    return { leased, regex: new RegExp(`^${text}$`) };
  });
  await root.kv.put('last', '');
  await eventually(() => written.has('last'));
  written.delete('last');
  const unexplained = [...written].filter(
    ([key, leased]) => !patterns.some((pattern) => pattern.regex.test(key) && pattern.leased === leased),
  );
  expect(unexplained).toEqual([]);
  const unseen = patterns.filter(({ regex }) => ![...written.keys()].some((key) => regex.test(key)));
  expect(unseen).toEqual([]);
});

/** Whether this etcd is older than the release of its line that mended something; a line that is not named never was. */
function isBefore(fixedIn: Readonly<Record<number, number>>): boolean {
  const [, minor = 0, patch = 0] = etcd.version.split('.').map(Number);
  return patch < (fixedIn[minor] ?? Number.POSITIVE_INFINITY);
}

/** Whether it is done; it may only be refused for want of a right or a login. */
const isDone = (call: Promise<unknown>) =>
  call.then(
    () => true,
    (error: Error) => {
      expect(['PermissionError', 'AuthError']).toContain(error.name);
      return false;
    },
  );

describe('what roles do not do, where the page says so', () => {
  it('a Txn within a Txn goes round them', async () => {
    await using client = await as('coord-discover');
    const success = [{ txn: { success: [{ put: { key: '/bypass', value: '' } }] } }];
    const through = await isDone(client.kv.txn({ success }, { coalesce: false }));
    expect(through).toBe(isBefore({ 4: 42, 5: 28, 6: 9 }));
    expect((await root.kv.get('/bypass')) !== undefined).toBe(through);
  });

  it('who may read one key can watch those after it', async () => {
    await using client = await as('coord-manage');
    await using watch = client.watch({ start: '/coord/config/gray/prod/orders/http', end: '\0' });
    const seen = (async () => {
      await watch.ready;
      await root.kv.put('/zsecret', 'not for this user');
      const { value } = await watch[Symbol.asyncIterator]().next();
      expect(value?.events[0]?.kv.text()).toBe('not for this user');
    })();
    expect(await isDone(seen)).toBe(isBefore({ 5: 33, 6: 14, 7: 1 }));
  });

  it('leases are granted without a login', async () => {
    await using nobody = createClient({ endpoints: [line.endpoint] });
    const granted = await isDone(nobody.session({ ttlMs: 5_000 }).then((session) => session.keepAlive()));
    if (['3.4.23', '3.5.16'].includes(etcd.version)) expect(granted).toBe(true);
    await expect(nobody.kv.get('/zsecret')).rejects.toThrow();
  });

  it('a right that is taken away does not end a watch', async () => {
    await etcd.etcdctl(['role', 'add', 'passing']);
    await etcd.etcdctl(['role', 'grant-permission', 'passing', 'read', '/passing']);
    await etcd.etcdctl(['user', 'add', `${name('passing')}:secret`]);
    await etcd.etcdctl(['user', 'grant-role', name('passing'), 'passing']);
    await using client = await as('passing');
    await using watch = client.watch('/passing');
    await watch.ready;
    await etcd.etcdctl(['role', 'revoke-permission', 'passing', '/passing']);
    await expect(client.kv.get('/passing')).rejects.toBeInstanceOf(PermissionError);
    await root.kv.put('/passing', 'after');
    const { value } = await watch[Symbol.asyncIterator]().next();
    expect(value?.events[0]?.kv.text()).toBe('after');
    await expect(client.watch('/passing').ready).rejects.toBeInstanceOf(PermissionError);
  });
});
