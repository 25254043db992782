import { cp, readFile, rm } from 'node:fs/promises';
import { connect } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { createConfigCenter, VersionConflictError } from '../src/index.js';
import { useEtcd } from './setup.js';
import { watchedClient } from './watched-client.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;

describe('a centre that writes a key again', () => {
  it('does not ask what is there: one transaction a write', async () => {
    const key = t.key();
    const { client, txns } = watchedClient(t.client);
    const config = t.center(client);
    const written = [];
    written.push(await config.set(key, 'a'));
    expect(txns.splice(0)).toEqual(['read', 'write']);
    written.push(await config.set(key, 'b'));
    written.push(await config.compareAndSet(key, 'c', 2));
    expect(await config.delete(key, { version: 3 })).toBe(true);
    written.push(await config.set(key, 'e', { version: 0, comment: 'again' }));
    written.push(await config.rollback(key, 1));
    expect(txns.splice(0)).toEqual(Array(5).fill('write'));
    expect(written.map(({ version }) => version)).toEqual([1, 2, 3, 5, 6]);
    const history = await config.getHistory(key);
    expect(history.map(({ operation, value }) => [operation, value])).toEqual([
      ['rollback', 'a'],
      ['put', 'e'],
      ['delete', undefined],
      ['put', 'c'],
      ['put', 'b'],
      ['put', 'a'],
    ]);
    expect(history.map(({ revision }) => revision)[0]).toBe(written.at(-1)?.revision);
    expect(await config.get(key)).toMatchObject({ value: 'a', version: 6, external: false });
  });

  it('asks where it is to decide that there is nothing to do, or a conflict: others may have written', async () => {
    const key = t.key();
    const others = t.center(await t.connect());
    await t.config.set(key, 'a');
    await others.set(key, 'b');
    expect(await t.config.set(key, 'a')).toMatchObject({ version: 3 });
    await others.set(key, 'c');
    expect(await t.config.compareAndSet(key, 'd', 4)).toMatchObject({ version: 5 });
    await others.delete(key);
    await expect(t.config.compareAndSet(key, 'e', 5)).rejects.toMatchObject({
      name: 'VersionConflictError',
      expected: 5,
      actual: 0,
    });
    expect(await t.config.delete(key)).toBe(false);
    await others.set(key, 'f');
    expect(await t.config.delete(key)).toBe(true);
    const history = await t.config.getHistory(key);
    expect(history.map(({ version, value }) => [version, value])).toEqual([
      [8, undefined],
      [7, 'f'],
      [6, undefined],
      [5, 'd'],
      [4, 'c'],
      [3, 'a'],
      [2, 'b'],
      [1, 'a'],
    ]);
  });

  it('takes what others left into the history, though it knew nothing of it', async () => {
    const key = t.key();
    await t.config.set(key, 1);
    await t.client.kv.put(rawKey(key), '1');
    await expect(t.config.set(key, 2, { version: 1 })).rejects.toThrow(VersionConflictError);
    expect(await t.config.set(key, 2)).toMatchObject({ version: 3 });
    await t.client.kv.delete(rawKey(key));
    expect(await t.config.set(key, 3)).toMatchObject({ version: 5 });
    const history = await t.config.getHistory(key);
    expect(history.map(({ version, operation, deleted }) => [version, operation, deleted])).toEqual([
      [5, 'put', false],
      [4, 'adopt', true],
      [3, 'put', false],
      [2, 'adopt', false],
      [1, 'put', false],
    ]);
  });

  it('knows the metadata and the encryption of what is there', async () => {
    const key = t.key();
    const encryption = { keys: { k: new Uint8Array(32).fill(7) }, current: 'k' };
    const config = t.center(t.client, { encryption });
    const others = t.center(await t.connect(), { encryption });
    await config.set(key, 'secret-1', { encrypt: true, metadata: { team: 'a' } });
    expect(await config.set(key, 'secret-2')).toMatchObject({ version: 2, metadata: { team: 'a' } });
    expect((await t.client.kv.get(rawKey(key)))?.text()).toMatch(/^coord:sealed:1:k:/);
    const plain = t.key();
    await config.set(plain, 'public');
    await others.set(plain, 'secret-3', { encrypt: true });
    await config.set(plain, 'secret-4'); // it was public when this centre wrote it last
    expect((await t.client.kv.get(rawKey(plain)))?.text()).toMatch(/^coord:sealed:1:k:/);
    expect(await config.getValue(plain)).toBe('secret-4');
  });

  it('is not misled by a release of its own, nor by concurrent writes', async () => {
    const key = t.key();
    await t.config.set(key, 0);
    await t.config.publish([{ key, value: 1 }]);
    expect(await t.config.set(key, 0)).toMatchObject({ version: 3 });
    const writes = Array.from({ length: 8 }, (_, n) => t.config.set(key, n + 10));
    const versions = (await Promise.all(writes)).map(({ version }) => version).sort((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 8 }, (_, n) => n + 4));
  });
});

it('another history with the same revisions is another one: a write by old knowledge does not go through', async () => {
  const key = t.key();
  await using etcd = await startEtcd();
  await using client = await connect(etcd.connectOptions);
  await using config = createConfigCenter(client);
  await client.kv.put('/before', '');
  const dataDir = await dataDirOf(etcd);
  await etcd.kill();
  await cp(dataDir, `${dataDir}.backup`, { recursive: true });
  await etcd.restart();
  await eventually(() => config.set(key, 'of the first history'));
  const known = await config.set(key, 'of the first history, too');
  await etcd.kill();
  await rm(dataDir, { recursive: true });
  await cp(`${dataDir}.backup`, dataDir, { recursive: true });
  await etcd.restart();
  await using other = await connect(etcd.connectOptions);
  await using writer = createConfigCenter(other);
  await other.kv.put('/between', '');
  const written = await writer.set(key, 'of the second history');
  expect([written.revision, written.version]).toEqual([known.revision, 1]);
  expect(await eventually(() => config.set(key, 'new'))).toMatchObject({ version: 2 });
  const history = await writer.getHistory(key);
  expect(history.map(({ value }) => value)).toEqual(['new', 'of the second history']);
  await rm(`${dataDir}.backup`, { recursive: true });
});

it('a value is checked against the schema of today, whichever was there when the key was written last', async () => {
  const key = t.key();
  await t.config.set(key, 1);
  const others = t.center(await t.connect());
  await others.setSchema(key, { type: 'string' });
  await expect(t.config.set(key, 2)).rejects.toMatchObject({ name: 'ValidationError' });
  expect(await t.config.set(key, 'two')).toMatchObject({ version: 2 });
  await others.setSchema(key, { type: 'number' });
  expect(await t.config.set(key, 3)).toMatchObject({ version: 3 });
  await others.deleteSchema(key);
  expect(await t.config.set(key, 'four')).toMatchObject({ version: 4 });
});

async function dataDirOf({ pid }: EtcdServer): Promise<string> {
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  const flag = '--data-dir=';
  const dataDir = args.find((arg) => arg.startsWith(flag))?.slice(flag.length);
  if (dataDir === undefined) throw new Error('etcd runs without --data-dir');
  return dataDir;
}
