import { NotFoundError, ValidationError } from '@coord/client';
import { eventually } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PublishChange, VersionConflictError } from '../src/index.js';
import { losingTheResponse, taker, useEtcd } from './setup.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;

/** Publishes something: the release must be there. */
async function publish(...[changes, options]: Parameters<typeof t.config.publish>) {
  const release = await t.config.publish(changes, options);
  if (release === undefined) throw new Error('nothing was published');
  return release;
}

function names(count: number, base = t.key('rel')): string[] {
  return Array.from({ length: count }, (_, n) => `${base}/${String(n).padStart(2, '0')}`);
}

describe('publish', () => {
  it('changes all keys at one revision, each with its version and its history', async () => {
    const [a, b, c] = [t.key('a'), t.key('b'), t.key('c')];
    await t.config.set(b, 'old');
    await t.config.set(c, 'gone soon');
    const release = await publish(
      [
        { key: a, value: { n: 1n << 60n }, metadata: { owner: 'ops' } },
        { key: `/${b}`, value: '123' },
        { key: c, delete: true },
      ],
      { author: 'ana', comment: 'move' },
    );
    expect(release).toMatchObject({
      author: 'ana',
      comment: 'move',
      reverts: undefined,
      changes: [
        { key: a, operation: 'put', from: 0, to: 1 },
        { key: b, operation: 'put', from: 1, to: 2 },
        { key: c, operation: 'delete', from: 1, to: 2 },
      ],
    });
    const { revision, id } = release;
    expect(await t.config.get(a)).toMatchObject({
      value: { n: 1n << 60n },
      revision,
      metadata: { owner: 'ops' },
    });
    expect(await t.config.get(b)).toMatchObject({ value: '123', version: 2, revision });
    await expect(t.config.get(c)).rejects.toThrow(NotFoundError);
    for (const key of [a, b, c]) {
      const [newest] = await t.config.getHistory(key, { limit: 1 });
      expect(newest).toMatchObject({ revision, releaseId: id, author: 'ana', comment: 'move' });
    }
    expect(await t.config.getRelease(id)).toEqual(release);
    expect(JSON.parse(JSON.stringify(release))).toMatchObject({ id, revision: String(revision) });
  });

  it('writes nothing when one of the compare-and-sets fails', async () => {
    const [a, b] = [t.key('a'), t.key('b')];
    const first = await t.config.set(a, 1);
    for (const change of [
      { key: a, value: 2, version: 0 },
      { key: a, value: 2, version: 5 },
      { key: a, value: 2, revision: first.revision - 1n },
      { key: a, delete: true, version: 2 },
    ] satisfies PublishChange[]) {
      await expect(t.config.publish([{ key: b, value: 1 }, change])).rejects.toThrow(VersionConflictError);
    }
    expect(await t.config.getVersion(b)).toBe(0);
    expect(await t.config.get(a)).toMatchObject({ value: 1, version: 1 });
    await publish([
      { key: b, value: 1, version: 0 },
      { key: a, value: 2, revision: first.revision },
    ]);
    expect(await t.config.get(a)).toMatchObject({ value: 2, version: 2 });
  });

  it('leaves out keys that have the wanted value, and is nothing when all have', async () => {
    const [a, b] = [t.key('a'), t.key('b')];
    await t.config.set(a, { x: 1, y: 2 });
    const release = await publish([
      { key: a, value: { y: 2, x: 1 } },
      { key: b, value: 1 },
    ]);
    expect(release.changes.map(({ key }) => key)).toEqual([b]);
    const again: PublishChange[] = [
      { key: a, value: { x: 1, y: 2 } },
      { key: b, value: 1 },
      { key: t.key('absent'), delete: true },
    ];
    expect(await t.config.publish(again)).toBeUndefined();
    expect((await publish(again.slice(0, 2), { force: true })).changes).toHaveLength(2);
  });

  it('holds for keys that have the wanted value, too: one that changes meanwhile is written', async () => {
    const [a, b] = [t.key('a'), t.key('b')];
    await t.config.set(a, 'wanted');
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint] }));
    await config.get(a);
    proxy.blackhole('toClient'); // the keys are being read, and the answer on its way
    const publishing = config.publish([
      { key: a, value: 'wanted' },
      { key: b, value: 1 },
    ]);
    publishing.catch(() => undefined);
    await t.config.getHistory(a);
    await t.config.set(a, 'by another');
    proxy.heal();
    const release = await publishing;
    expect(release?.changes.map(({ key, to }) => [key, to])).toEqual([
      [a, 3],
      [b, 1],
    ]);
    expect(await t.config.getValue(a)).toBe('wanted');
  });

  it('among many at once loses nothing: every release is whole', async () => {
    const keys = names(5);
    const clients = await Promise.all([t.connect(), t.connect(), t.connect()]);
    const release = (n: number) => keys.map((key) => ({ key, value: n }));
    const made = await Promise.all(
      Array.from({ length: 9 }, (_, n) => t.center(clients[n % 3] ?? t.client).publish(release(n))),
    );
    expect(made.every((each) => each !== undefined)).toBe(true);
    const histories = await Promise.all(keys.map((key) => t.config.getHistory(key)));
    for (const history of histories) {
      expect(history.map(({ version }) => version)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
      expect(history.map(({ releaseId }) => releaseId)).toEqual(histories[0]?.map((each) => each.releaseId));
      expect(history.map(({ value }) => value)).toEqual(histories[0]?.map(({ value }) => value));
    }
  });

  it('takes values by others into the history first, for as many keys as it takes at all', async () => {
    const keys = names(31);
    const config = t.center(t.client, { maxVersionHistory: 2 });
    for (const value of ['1', '2']) await config.publish(keys.map((key) => ({ key, value })));
    await t.client.kv.txn({
      success: keys.map((key) => ({ put: { key: rawKey(key), value: 'by others' } })),
    });
    const release = await config.publish(keys.map((key) => ({ key, value: '4' })));
    expect(release?.changes.map(({ from, to }) => [from, to])).toEqual(keys.map(() => [3, 4]));
    for (const key of [keys[0] ?? '', keys[30] ?? '']) {
      expect((await t.config.getHistory(key)).slice(0, 2)).toMatchObject([
        { version: 4, value: '4' },
        { version: 3, operation: 'adopt', value: 'by others' },
      ]);
    }
    // What there was no room to prune goes with the next write.
    await config.publish(keys.map((key) => ({ key, value: '5' })));
    expect(await t.config.getHistory(keys[30] ?? '')).toHaveLength(2);
  });

  it('carries what fits, and refuses the rest before sending', async () => {
    const [a, b] = [t.key('a'), t.key('b')];
    const half = 'x'.repeat(350 * 1024);
    await publish([a, b].map((key) => ({ key, value: half })));
    const { revision } = await t.client.kv.range('nothing');
    const refused: [unknown, RegExp][] = [
      [[a, b].map((key) => ({ key, value: 'x'.repeat(400 * 1024) })), /changes: must weigh at most/],
      [names(32).map((key) => ({ key, value: 1 })), /changes: must be an array of 1 to 31/],
      [[], /changes: must be an array/],
      ['x', /changes: must be an array/],
      [[{ key: a, value: 1 }, null], /changes\[1\]: must be an object/],
      [
        [
          { key: a, value: 1 },
          { key: `/${a}`, value: 2 },
        ],
        /changes\[1\].key: .*twice/,
      ],
      [
        [{ key: '../x', value: { y: undefined }, version: -1 }],
        /changes\[0\].key.*changes\[0\].version.*changes\[0\].value.y/,
      ],
      [[{ key: a, value: 1, delete: true }], /changes\[0\].value: must not/],
      [[{ key: a, value: 'x'.repeat(512 * 1024 + 1) }], /changes\[0\].value: must be at most/],
      [[{ key: a, value: 1, schema: 5 }], /changes\[0\].schema/],
    ];
    for (const [changes, message] of refused) {
      const call = t.config.publish(changes as PublishChange[]);
      await expect(call).rejects.toThrow(ValidationError);
      await expect(call).rejects.toThrow(message);
    }
    const metadata = { note: 'x'.repeat(15 * 1024) };
    const heavy = [
      ...names(30).map((key) => ({ key, value: 1, metadata })),
      { key: a, value: 'x'.repeat(500 * 1024) },
    ];
    await expect(t.config.publish(heavy)).rejects.toThrow(/changes: are more than etcd takes/);
    expect((await t.client.kv.range('nothing')).revision).toBe(revision);
  });

  it('checks each value against its schema', async () => {
    const [a, b] = [t.key('a'), t.key('b')];
    const call = t.config.publish([
      { key: a, value: 1 },
      { key: b, value: { port: 'x' }, schema: z.object({ port: z.number() }) },
    ]);
    await expect(call).rejects.toMatchObject({ issues: [{ path: 'changes[1].value.port' }] });
    expect(await t.config.getVersion(a)).toBe(0);
  });

  it('whose answer is lost is applied once, and known again', async () => {
    const keys = names(3);
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 }));
    const there = async () => (await t.config.getVersion(keys[0] ?? '')) === 1;
    const release = await losingTheResponse(
      proxy,
      () => config.publish(keys.map((key) => ({ key, value: 1 }))),
      there,
      () => t.config.set(keys[1] ?? '', 'by another'),
    );
    expect(release?.changes.map(({ to }) => to)).toEqual([1, 1, 1]);
    expect(release && (await t.config.getRelease(release.id))).toEqual(release);
    expect(await t.config.get(keys[1] ?? '')).toMatchObject({ value: 'by another', version: 2 });
    expect(await t.config.getHistory(keys[0] ?? '')).toHaveLength(1);
  });

  it('that is aborted on its way reports what nobody can tell', async () => {
    const key = t.key();
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 }));
    const there = async () => (await t.config.getVersion(key)) > 0;
    proxy.delay(200, 'toClient');
    const abort = new AbortController();
    const call = config.publish([{ key, value: 1 }], { signal: abort.signal });
    call.catch(() => undefined);
    await eventually(there);
    abort.abort('enough');
    await expect(call).rejects.toMatchObject({ name: 'AbortedError', outcome: 'unknown' });
  });
});

describe('revert', () => {
  it('brings every key back in one step, also what was created and what was deleted', async () => {
    const [made, changed, gone] = [t.key('made'), t.key('changed'), t.key('gone')];
    await t.config.set(changed, '123');
    await t.config.set(gone, { precious: true });
    const release = await publish([
      { key: made, value: 1 },
      { key: changed, value: 456 },
      { key: gone, delete: true },
    ]);
    const back = await t.config.revert(release.id, { author: 'bo', comment: 'oops' });
    expect(back).toMatchObject({ reverts: release.id, author: 'bo' });
    await expect(t.config.get(made)).rejects.toThrow(NotFoundError);
    expect(await t.config.get(changed)).toMatchObject({ value: '123', version: 3, revision: back?.revision });
    expect(await t.config.get(gone)).toMatchObject({ value: { precious: true }, version: 3 });
    expect((await t.config.getHistory(changed, { limit: 1 }))[0]).toMatchObject({
      operation: 'rollback',
      from: 1,
      releaseId: back?.id,
      comment: 'oops',
    });
    // And forth again: a revert is a release.
    await t.config.revert(back?.id ?? '');
    expect(await t.config.get(changed)).toMatchObject({ value: 456, version: 4 });
    expect(await t.config.get(made)).toMatchObject({ value: 1, version: 3 });
    expect(await t.config.getVersion(gone)).toBe(0);
  });

  it('stops at a key that has been changed since, by whomever, unless forced', async () => {
    const [a, b] = names(2);
    const keys = [a ?? '', b ?? ''];
    for (const meddle of [
      (key: string) => t.config.set(key, 'later'),
      (key: string) => t.client.kv.put(rawKey(key), 'outside'),
      (key: string) => t.config.delete(key),
      (key: string) => t.client.kv.delete(rawKey(key)),
    ]) {
      await t.config.publish(keys.map((key) => ({ key, value: 'before' })));
      const release = await publish(keys.map((key) => ({ key, value: 'after' })));
      await meddle(keys[1] ?? '');
      await expect(t.config.revert(release.id)).rejects.toThrow(VersionConflictError);
      expect(await t.config.getValue(keys[0] ?? '')).toBe('after');
      await t.config.revert(release.id, { force: true });
      expect(await Promise.all(keys.map((key) => t.config.getValue(key)))).toEqual(['before', 'before']);
    }
  });

  it('is refused as a whole when a value no longer fits, or is no longer there', async () => {
    const [a, b] = names(2);
    const keys = [a ?? '', b ?? ''];
    const config = t.center(t.client, { maxVersionHistory: 2 });
    await config.publish(keys.map((key) => ({ key, value: 'text' })));
    const release = await publish(keys.map((key) => ({ key, value: 5 })));
    const call = t.config.revert(release.id, { schemas: { [keys[1] ?? '']: z.number() } });
    await expect(call).rejects.toThrow(ValidationError);
    expect(await t.config.getValue(keys[0] ?? '')).toBe(5);
    await config.set(keys[1] ?? '', 6);
    await config.set(keys[1] ?? '', 7);
    await expect(t.config.revert(release.id, { force: true })).rejects.toThrow(NotFoundError);
    expect(await t.config.getValue(keys[0] ?? '')).toBe(5);
    await expect(t.config.revert('no-such-release')).rejects.toThrow(NotFoundError);
    for (const id of ['', '../x', 5 as unknown as string]) {
      await expect(t.config.revert(id)).rejects.toThrow(ValidationError);
      await expect(t.config.getRelease(id)).rejects.toThrow(ValidationError);
    }
  });

  it('whose answer is lost is applied once', async () => {
    const keys = names(2);
    const release = await publish(keys.map((key) => ({ key, value: 1 })));
    const proxy = await t.proxy();
    const config = t.center(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 }));
    const gone = async () => (await t.config.getVersion(keys[0] ?? '')) === 0;
    const back = await losingTheResponse(proxy, () => config.revert(release.id), gone);
    expect(back).toMatchObject({ reverts: release.id, changes: [{ to: 2 }, { to: 2 }] });
    expect(await t.config.getHistory(keys[0] ?? '')).toHaveLength(2);
  });
});

describe('releases', () => {
  it('are listed newest first, whatever their ids', async () => {
    const made = [];
    for (let n = 0; n < 4; n++) made.push((await publish([{ key: t.key(), value: n }])).id);
    const listed = await t.config.listReleases({ limit: 3 });
    expect(listed.map(({ id }) => id)).toEqual(made.reverse().slice(0, 3));
    await expect(t.config.listReleases({ limit: 0 })).rejects.toThrow(ValidationError);
  });

  it('are bounded: the oldest go', async () => {
    const prefix = '/bounded';
    const config = t.center(t.client, { keyPrefix: prefix });
    const record = (n: number) => ({
      put: { key: `/coord${prefix}/rel/old-${n}`, value: JSON.stringify({ id: `old-${n}`, keys: [] }) },
    });
    for (let from = 0; from < 1_001; from += 100) {
      const count = Math.min(100, 1_001 - from);
      await t.client.kv.txn({ success: Array.from({ length: count }, (_, n) => record(from + n)) });
    }
    const release = await config.publish([{ key: 'a', value: 1 }]);
    const { count } = await t.client.kv.range({ prefix: `/coord${prefix}/rel/` }, { countOnly: true });
    expect(count).toBe(1_000);
    expect((await config.listReleases({ limit: 1 }))[0]?.id).toBe(release?.id);
  });

  it('that somebody has damaged are not believed', async () => {
    const { id } = await publish([{ key: t.key(), value: 1 }]);
    for (const keys of [
      [{ key: '../lock/x', from: 1, to: 2 }],
      [{ key: 'a', from: -1, to: 2 }],
      'x',
      [null],
    ]) {
      await t.client.kv.put(`/coord/config/rel/${id}`, JSON.stringify({ id, keys }));
      await expect(t.config.getRelease(id)).rejects.toThrow(NotFoundError);
      await expect(t.config.revert(id)).rejects.toThrow(NotFoundError);
    }
    await t.client.kv.put(`/coord/config/rel/${id}`, 'rubbish');
    await expect(t.config.getRelease(id)).rejects.toThrow(NotFoundError);
    expect((await t.config.listReleases()).some((release) => release.id === id)).toBe(false);
  });

  it('need versions', async () => {
    const config = t.center(t.client, { enableVersioning: false });
    const calls = [
      () => config.publish([{ key: 'a', value: 1 }]),
      () => config.revert('x'),
      () => config.getRelease('x'),
      () => config.listReleases(),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(/enableVersioning/);
  });

  it('come to a watch as one, over a cut connection too', async () => {
    const base = t.key('watched');
    const keys = names(20, base);
    const proxy = await t.proxy();
    const watching = t.center(await t.connect({ endpoints: [proxy.endpoint] }));
    await using watch = watching.watchPrefix<number>(base);
    await watch.ready;
    const take = taker(watch);
    for (let n = 0; n < 3; n++) {
      const release = await publish(keys.map((key) => ({ key, value: n })));
      if (n === 1) proxy.cut();
      const changes = await take(keys.length);
      expect(changes.map(({ key }) => key)).toEqual(keys);
      expect(changes.map(({ last }) => last)).toEqual([...Array(19).fill(false), true]);
      for (const { releaseId, revision, version } of changes) {
        expect([releaseId, revision, version]).toEqual([release.id, release.revision, n + 1]);
      }
    }
    await t.config.set(keys[0] ?? '', 'alone');
    const [alone] = await take(1);
    expect(alone && 'releaseId' in alone).toBe(false);
  });
});
