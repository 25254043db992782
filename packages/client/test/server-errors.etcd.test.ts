import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CoordClient, type CoordError, connect } from '../src/index.js';

/** What etcd really says, version by version: its words are no contract, and the table of errors rests on them. */
let etcd: EtcdServer;
let guarded: EtcdServer;
let client: CoordClient;
let root: CoordClient;

beforeAll(async () => {
  [etcd, guarded] = await Promise.all([
    startEtcd({ args: ['--max-txn-ops=5', '--max-request-bytes=65536'] }),
    startEtcd({ auth: true }),
  ]);
  client = await connect(etcd.connectOptions);
  root = await connect(guarded.connectOptions);
});
afterAll(async () => {
  await Promise.all([client?.close(), root?.close()]);
  await Promise.all([etcd?.stop(), guarded?.stop()]);
});

async function failure(call: Promise<unknown>): Promise<CoordError> {
  return await call.then(
    () => expect.fail('it succeeded'),
    (error: CoordError) => error,
  );
}

const alone = { coalesce: false };

describe('what etcd refuses is told as what it is, and was certainly not applied', () => {
  const refusals: [string, () => Promise<unknown>, string, RegExp][] = [
    [
      'more operations than --max-txn-ops',
      () =>
        client.kv.txn(
          { success: [1, 2, 3, 4, 5, 6].map((i) => ({ put: { key: `/errors/${i}`, value: '' } })) },
          alone,
        ),
      'ValidationError',
      /too many operations in txn request/,
    ],
    [
      'a key that is put twice in one transaction',
      () =>
        client.kv.txn(
          { success: [{ put: { key: '/errors/1', value: 'a' } }, { put: { key: '/errors/1', value: 'b' } }] },
          alone,
        ),
      'ValidationError',
      /duplicate key given in txn request/,
    ],
    [
      'more bytes than --max-request-bytes',
      () => client.kv.put('/errors/1', Buffer.alloc(100_000), alone),
      'ResourceExhaustedError',
      /request is too large; store less .* or raise --max-request-bytes/,
    ],
    [
      'a message that is larger than it takes at all',
      () => client.kv.put('/errors/1', Buffer.alloc(2_000_000), alone),
      'ResourceExhaustedError',
      /larger than max|too large/,
    ],
    [
      'a lease that does not exist',
      () => client.kv.put('/errors/1', '', { ...alone, leaseId: 123456n }),
      'NotFoundError',
      /requested lease not found/,
    ],
    [
      'a revision in the future',
      () => client.kv.get('/errors/1', { ...alone, revision: 1n << 40n }),
      'CoordError',
      /required revision is a future revision/,
    ],
    [
      'a lease that is to live longer than any',
      () => client.session({ ttlMs: 9_000_000_001_000 }),
      'ValidationError',
      /ttl/i,
    ],
    [
      'no user where one is required',
      () => connect({ endpoints: guarded.endpoints }),
      'AuthError',
      /user name is empty; etcd requires a user: give username and password/,
    ],
    [
      'a wrong password',
      () => connect({ ...guarded.connectOptions, password: 'wrong' }),
      'AuthError',
      /authentication failed.*check username and password/,
    ],
    [
      'a user that does not exist',
      () => connect({ ...guarded.connectOptions, username: 'nobody' }),
      'AuthError',
      /authentication failed.*check username and password/,
    ],
    [
      'a password for a user who has none',
      async () => {
        await guarded.etcdctl(['user', 'add', 'certified', '--no-password']);
        await connect({ ...guarded.connectOptions, username: 'certified', password: 'x' });
      },
      'AuthError',
      /authentication failed/,
    ],
    [
      'what the role of the user does not allow',
      async () => {
        await guarded.etcdctl(['user', 'add', 'poor:x']);
        const poor = await connect({ ...guarded.connectOptions, username: 'poor', password: 'x' });
        try {
          await poor.kv.put('/errors/1', '');
        } finally {
          await poor.close();
        }
      },
      'PermissionError',
      /permission denied; grant the user a role/,
    ],
  ];

  it.each(refusals)('%s', async (_, call, name, message) => {
    expect(await failure(call())).toMatchObject({
      name,
      outcome: 'not-applied',
      message: expect.stringMatching(message),
    });
    expect((await client.kv.range({ prefix: '/errors/' })).count).toBe(0);
    expect((await root.kv.range({ prefix: '/errors/' })).count).toBe(0);
    expect([client.health.state, root.health.state]).toEqual(['ready', 'ready']); // no fault of the endpoint
  });

  it('a compacted revision, with the revision that is left', async () => {
    const { revision } = await client.kv.put('/compacted', '1');
    await client.kv.put('/compacted', '2');
    await etcd.compact();
    const error = await failure(client.kv.get('/compacted', { ...alone, revision }));
    expect(error).toMatchObject({ name: 'CompactedError', outcome: 'not-applied' });
  });
});

describe('a user who is removed while his client runs', () => {
  it('is refused, as a matter of permission or of login, and no call hangs', async () => {
    await guarded.etcdctl(['user', 'add', 'gone:x']);
    await guarded.etcdctl(['user', 'grant-role', 'gone', 'root']);
    const gone = await connect({ ...guarded.connectOptions, username: 'gone', password: 'x' });
    await gone.kv.put('/gone', '');
    await guarded.etcdctl(['user', 'delete', 'gone']);
    const error = await failure(gone.kv.put('/gone', ''));
    expect(['AuthError', 'PermissionError']).toContain(error.name);
    expect(error.outcome).toBe('not-applied');
    await gone.close();
  });
});

describe('NOSPACE', () => {
  it('says what to do; a call refused for it may have been applied; reads and deletes go on', async () => {
    const full = await startEtcd({ quotaBytes: 8 * 1024 * 1024 });
    const own = await connect(full.connectOptions);
    try {
      await own.kv.put('/full/a', 'x');
      await full.fillQuota();
      expect(await failure(own.kv.put('/full/b', 'x'))).toMatchObject({
        name: 'ResourceExhaustedError',
        outcome: 'unknown',
        message: expect.stringMatching(/database space exceeded; compact, defragment and disarm the alarm/),
      });
      expect((await own.kv.get('/full/a'))?.text()).toBe('x');
      expect((await own.kv.delete('/full/a')).deleted).toBe(1);
      expect(own.health.state).toBe('ready');
    } finally {
      await own.close();
      await full.stop();
    }
  });
});
