/**
 * What has gone wrong elsewhere with centres like this one; the numbers are those of the list that the design
 * was made from. The rest of it is proven where it belongs:
 *
 * - 3, 6, 7 (compaction): faults "after an outage beyond compaction…"; 2 and 8 (the line to etcd): the client's tests
 * - 11 (a delete whose answer is lost): faults "is resolved…"
 * - 14 (compare-and-set inserts, ABA, blank versions): compare-and-set; input "refuses an unset version…"
 * - 16 (encryption fails open): encryption
 * - 23 (prefixes, oversize, too many operations): watch "follows what is below…", list, input, releases
 * - 9, 10, 18, 20, 21 (managers): the config manager's tests
 */
import { inspect } from 'node:util';
import { NotFoundError, ValidationError } from '@coord/client';
import { eventually } from '@coord/testkit';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { taker, useEtcd } from './setup.js';
import { watchedClient } from './watched-client.js';

const t = useEtcd();
const rawKey = (key: string) => `/config/${key}`;

it('1: a watch that is cut before its first event misses none', async () => {
  const key = t.key();
  const proxy = await t.proxy();
  const config = t.center(await t.connect({ endpoints: [proxy.endpoint] }));
  await using watch = config.watch<number>(key);
  await watch.ready;
  await proxy.refuse();
  proxy.cut();
  for (let n = 1; n <= 3; n++) await t.config.set(key, n);
  await proxy.accept();
  const take = taker(watch);
  const first = await take(1);
  proxy.cut();
  for (let n = 4; n <= 6; n++) await t.config.set(key, n);
  const changes = [...first, ...(await take(5))];
  expect(changes.map(({ value, version }) => [value, version])).toEqual(
    Array.from({ length: 6 }, (_, i) => [i + 1, i + 1]),
  );
});

it('4: a consumer that throws harms neither the other watches of the key nor the process', async () => {
  const key = t.key();
  const [bad, good] = [t.config.watch<number>(key), t.config.watch<number>(key)];
  await Promise.all([bad.ready, good.ready]);
  const failing = (async () => {
    for await (const change of bad) throw new Error(`cannot use ${change.value}`);
  })();
  const take = taker(good);
  await t.config.set(key, 1);
  await expect(failing).rejects.toThrow('cannot use 1');
  await t.config.set(key, 2);
  expect((await take(2)).map(({ value }) => value)).toEqual([1, 2]);
  await good.close();
});

it('5: a prefix beyond the message limit of gRPC is delivered, and followed', async () => {
  const prefix = t.key('large');
  const names = Array.from({ length: 10 }, (_, n) => `${prefix}/${n}`);
  for (const name of names) await t.client.kv.put(rawKey(name), 'x'.repeat(500 * 1024));
  const config = t.center(await t.connect());
  await using watch = config.watchPrefix<string>(prefix, { initial: true });
  const take = taker(watch);
  const sizes = (await take(10)).map(({ value }) => value?.length);
  expect(sizes).toEqual(Array(10).fill(500 * 1024));
  await t.config.set(`${prefix}/3`, 'small');
  expect(await take(1)).toMatchObject([{ key: `${prefix}/3`, value: 'small' }]);
});

it('11: a change between the reading and the watching is not missed', async () => {
  const key = t.key();
  await t.config.set(key, 0);
  for (let n = 1; n <= 10; n++) {
    const watch = t.config.watch<number>(key, { initial: true });
    const written = t.config.set(key, n); // at the very time the watch begins
    let last: number | undefined;
    for await (const { value } of watch) {
      last = value;
      if (last === n) break;
    }
    await written;
    expect(last).toBe(n);
  }
});

it('12: values are in no log and in no error, however they fail', async () => {
  const SECRET = 'canary-value';
  const told: unknown[][] = [];
  const tell = (...args: unknown[]) => told.push(args);
  const logger = { error: tell, warn: tell, info: tell, debug: tell };
  const client = await t.connect({ logger, logLevel: 'debug' });
  const config = t.center(client);
  const key = t.key();
  const failure = (promise: Promise<unknown>) => promise.then(() => expect.fail('resolved'), String);
  await config.set(key, SECRET, { metadata: { a: 'b' } });
  await config.set(key, { secret: SECRET.repeat(25_000) });
  await config.rollback(key, 1);
  await config.publish([{ key, value: [SECRET] }]);
  const shown = [
    await failure(config.compareAndSet(key, SECRET, 1)),
    await failure(config.publish([{ key, value: SECRET, version: 1 }])),
    await failure(config.set(key, { a: SECRET, b: undefined })),
    await failure(config.set(key, SECRET.repeat(100_000))),
    await failure(config.set(key, { a: SECRET }, { schema: z.object({ a: z.number() }) })),
    await failure(config.get(key, { schema: z.object({ a: z.number() }) })),
  ];
  await t.client.kv.put(rawKey(key), `{"a":"${SECRET}","__proto__":1}`);
  shown.push(await failure(config.get(key)), await failure(config.adopt(key)));
  await t.client.kv.put(`/coord/config/meta/${key}`, `{"v":"${SECRET}"}`);
  shown.push(await failure(config.set(key, 1)));
  expect(told.length).toBeGreaterThan(5);
  expect(shown.join('\n')).not.toContain(SECRET);
  expect(inspect([told, shown, config], { depth: 12, showHidden: true })).not.toContain(SECRET);
});

it('13: the latest is the latest, also past nine', async () => {
  const prefix = t.key('many');
  for (let n = 1; n <= 11; n++) await t.config.set(`${prefix}/k`, n);
  expect((await t.config.getHistory(`${prefix}/k`, { limit: 3 })).map(({ value }) => value)).toEqual([
    11, 10, 9,
  ]);
  expect(await t.config.get(`${prefix}/k`)).toMatchObject({ value: 11, version: 11 });
});

it('15: a rollback to the first version brings it back, and deletes nothing', async () => {
  const key = t.key();
  await t.config.set(key, 'first');
  await t.config.set(key, 'second');
  await t.config.rollback(key, 1);
  expect(await t.config.get(key)).toMatchObject({ value: 'first', version: 3 });
  expect(await t.config.rollback(key, 1, { force: true })).toMatchObject({ value: 'first', version: 4 });
});

it('17: no key leads out of its prefix, in a call or from what others wrote', async () => {
  for (const key of ['../lock/x', 'a/../../lock/x', 'a//../x', '/..', 'a/./b', '//x']) {
    await expect(t.config.set(key, 1)).rejects.toThrow(ValidationError);
    await expect(t.config.publish([{ key, delete: true }])).rejects.toThrow(ValidationError);
    expect(() => t.config.watchPrefix(key)).toThrow(ValidationError);
  }
  const prefix = t.key('odd');
  await t.client.kv.put(`${rawKey(prefix)}/../escape`, '1');
  await t.config.set(`${prefix}/fine`, 1);
  expect((await t.config.list(prefix)).keys).toEqual([`${prefix}/fine`]);
});

it('19: a change whose record cannot be read for now is delivered when it can, with its version', async () => {
  const key = t.key();
  await t.config.set(key, 1);
  const proxy = await t.proxy();
  const slow = watchedClient(await t.connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 300 }));
  const config = t.center(slow.client);
  await using watch = config.watch<number>(key);
  await watch.ready;
  slow.hold();
  await t.config.set(key, 2);
  await eventually(() => slow.waiting === 1); // the change has come; its record is about to be read
  await proxy.refuse();
  proxy.cut();
  const next = taker(watch)(1);
  slow.letGo();
  await expect(config.get(key)).rejects.toMatchObject({ outcome: 'not-applied' });
  await proxy.accept();
  expect(await next).toMatchObject([{ value: 2, version: 2, external: false }]);
  await expect(t.config.get(t.key())).rejects.toThrow(NotFoundError);
});
