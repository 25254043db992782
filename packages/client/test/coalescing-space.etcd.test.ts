import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CoordClient, type CoordError, connect } from '../src/index.js';

let etcd: EtcdServer;
let client: CoordClient;

beforeEach(async () => {
  etcd = await startEtcd({ quotaBytes: 16 * 1024 * 1024 });
  client = await connect(etcd.connectOptions);
});
afterEach(async () => {
  await client.close();
  await etcd.stop();
});

const outcomeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: CoordError) => `${error.name}: ${error.outcome}`,
  );
const many = Array.from({ length: 30 }, (_, i) => i);
const NO_SPACE = 'ResourceExhaustedError: unknown';

describe('a server without space', () => {
  it('refuses puts within transactions as it refuses any, and deletes what it is told to', async () => {
    const { kv } = client;
    const { revision } = await kv.txn({
      success: many.map((i) => ({ put: { key: `/held/${i}`, value: '' } })),
    });
    await kv.txn({ success: many.map((i) => ({ put: { key: `/loose/${i}`, value: '' } })) });
    await etcd.fillQuota();
    const conditional = many.map((i) =>
      outcomeOf(
        kv.txn({
          compare: [{ key: `/new/${i}`, target: 'create', is: '=', to: 0n }],
          success: [{ put: { key: `/new/${i}`, value: '' } }],
        }),
      ),
    );
    expect(new Set(await Promise.all(conditional))).toEqual(new Set([NO_SPACE]));
    expect((await kv.range({ prefix: '/new/' })).count).toBe(0);

    // Releases and deletions, among puts that are refused.
    const mixed = many.map((i) => [
      outcomeOf(kv.put(`/more/${i}`, '')),
      outcomeOf(
        kv.txn({
          compare: [{ key: `/held/${i}`, target: 'create', is: '=', to: revision }],
          success: [{ delete: `/held/${i}` }],
          failure: [{ get: `/held/${i}` }],
        }),
      ),
      outcomeOf(kv.delete(`/loose/${i}`)),
      outcomeOf(kv.get(`/loose/${i}`)),
    ]);
    for (const outcomes of await Promise.all(mixed.map((each) => Promise.all(each)))) {
      expect(outcomes).toEqual([NO_SPACE, 'done', 'done', 'done']);
    }
    expect((await kv.range({ prefix: '/held/' })).count).toBe(0);
    expect((await kv.range({ prefix: '/more/' })).count).toBe(0);

    await etcd.freeSpace();
    await Promise.all(many.map((i) => kv.put(`/more/${i}`, '')));
  });

  it('at the moment it runs out, tells no call something false', async () => {
    const { kv } = client;
    const { revision } = await kv.txn({
      success: many.map((i) => ({ put: { key: `/held/${i}`, value: '' } })),
    });
    await kv.put('/loose', '');
    await etcd.fillQuota();
    // The first batch after the alarm mixes puts with deletes: nothing has told the client yet.
    const puts = many.map((i) => outcomeOf(kv.put(`/first/${i}`, '')));
    const loose = outcomeOf(kv.delete('/loose'));
    const releases = many.map((i) =>
      kv.txn({
        compare: [{ key: `/held/${i}`, target: 'mod', is: '=', to: revision }],
        success: [{ delete: `/held/${i}` }],
      }),
    );
    expect(new Set(await Promise.all(puts))).toEqual(new Set([NO_SPACE]));
    expect((await Promise.all(releases)).every(({ succeeded }) => succeeded)).toBe(true);
    const gone = (await kv.get('/loose')) === undefined;
    expect(await loose).toBe(gone ? 'done' : NO_SPACE);
  });
});
