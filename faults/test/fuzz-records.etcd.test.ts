import { isDeepStrictEqual } from 'node:util';
import { connect, type KeyValue } from '@coord/client';
import {
  appliedConfig,
  createConfigManager,
  getCanary,
  listOverrides,
  overrideConfig,
  startCanary,
} from '@coord/config-manager';
import { getServiceConfig, setServiceConfig } from '@coord/grpc-resolver';
import { CONTENTS } from '@coord/hostile-values';
import { eventually } from '@coord/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call } from '../src/fuzz/call.js';
import { complaint } from '../src/fuzz/judge.js';
import { openStage, type Stage } from '../src/fuzz/stage.js';

/** `COORD_SEED` repeats a run; `COORD_RUNS` says how many contents each record is given. */
const seed = Number(process.env.COORD_SEED ?? Date.now() % 2 ** 31);
const runs = Number(process.env.COORD_RUNS ?? 4);
const KEY = 'test/victim/main';
const GOOD = 'test/good/main';

const complaints: unknown[] = [];
const note = (reason: unknown) => complaints.push(reason);
let stage: Stage;
beforeAll(async () => {
  process.on('unhandledRejection', note).on('uncaughtException', note);
  stage = await openStage();
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  process.off('unhandledRejection', note).off('uncaughtException', note);
});

/** Something of every kind that the library writes. */
async function writeAll({ config, locks, registry }: Stage): Promise<void> {
  for (const key of [KEY, GOOD]) await config.set(key, { a: 1 }, { author: 'me', metadata: { b: 'c' } });
  await config.publish([{ key: KEY, value: { a: 2 } }]);
  await config.setSchema(KEY, { type: 'object' });
  await startCanary(config, KEY, { a: 3 }, { percent: 50 });
  await overrideConfig(config, KEY, { a: 4 }, { ttlMs: 600_000 });
  await setServiceConfig(registry, 'victim', { retryThrottling: { maxTokens: 10, tokenRatio: 0.1 } });
  for (const name of ['victim', 'good']) {
    await registry.register(
      { name, id: 'i', address: '10.0.0.1:80', metadata: { a: 'b' } },
      { ttlMs: 600_000 },
    );
  }
  await locks.acquire('victim', { ttlMs: 600_000, purpose: 'x' });
  await locks.acquireWriteLock('victim', { ttlMs: 600_000 });
  await locks.semaphore('victim', { permits: 2 }).acquire(1, { ttlMs: 600_000 });
}

/** All that reads what has been written, and writes that read it before. */
function readers({ config, locks, registry }: Stage): Readonly<Record<string, () => unknown>> {
  return {
    get: () => config.get(KEY),
    'get cached': () => config.get(KEY, { consistency: 'cached' }),
    getVersion: () => config.getVersion(KEY),
    getHistory: () => config.getHistory(KEY),
    diff: () => config.diff(KEY, 1, 2),
    getSchema: () => config.getSchema(KEY),
    listReleases: () => config.listReleases(),
    list: () => config.list(''),
    appliedConfig: () => appliedConfig(config, KEY),
    getCanary: () => getCanary(config, KEY),
    listOverrides: () => listOverrides(config, KEY),
    getServiceConfig: () => getServiceConfig(registry, 'victim'),
    discover: () => registry.discover('victim', { consistency: 'linearizable' }),
    listServices: () => registry.listServices(),
    inspect: () => locks.inspect('victim'),
    'list locks': () => locks.list(),
    tryAcquire: () => locks.tryAcquire('victim'),
    tryAcquireReadLock: () => locks.tryAcquireReadLock('victim'),
    'tryAcquire a permit': () => locks.semaphore('victim', { permits: 2 }).tryAcquire(2),
    rollback: () => config.rollback(KEY, 1, { version: 999 }),
    compareAndSet: () => config.compareAndSet(KEY, { a: 5 }, 999),
  };
}

const bytesOf = (content: unknown): Uint8Array | undefined => {
  if (typeof content === 'string') return new TextEncoder().encode(content);
  return content instanceof Uint8Array ? content : undefined;
};

/** Any bytes, texts that look like something, and the record itself with something else in it. */
function contents(original: KeyValue): fc.Arbitrary<Uint8Array> {
  const texts = Object.values(CONTENTS)
    .map(bytesOf)
    .filter((bytes) => bytes !== undefined);
  const odd = fc.oneof(
    fc.constantFrom<unknown>(null, true, -1, 1e308, 'x', [], {}, [[]], '\ud800'),
    fc.jsonValue(),
  );
  const mutated = fc.tuple(fc.nat(), odd).map(([index, value]) => {
    const [head = '', ...rest] = original.text().split('\n');
    const fields = fieldsOf(head);
    const name = Object.keys(fields)[index % Math.max(1, Object.keys(fields).length)] ?? 'version';
    return new TextEncoder().encode([JSON.stringify({ ...fields, [name]: value }), ...rest].join('\n'));
  });
  return fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...texts), {
    arbitrary: mutated,
    weight: 2,
  });
}

function fieldsOf(text: string): object {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

it(`what others write in the place of records harms nobody else, and is told (COORD_SEED=${seed})`, async () => {
  await writeAll(stage);
  const { config, registry } = stage;
  await using stranger = await connect(stage.etcd.connectOptions);
  const manager = createConfigManager<{ a: number }>({
    ...{ config, env: 'test', service: 'victim', component: 'main', instance: 'i', announce: true },
    layers: ['shared', 'service', 'canary', 'instance', 'override'],
    defaults: { a: 0 },
  });
  await manager.start();
  await using all = config.watchPrefix('');
  await using instances = registry.watchInstances('victim');
  await Promise.all([all.ready, instances.next()]);

  const records: KeyValue[] = [];
  for await (const kv of stranger.kv.list({ prefix: '' })) records.push(kv);
  expect(records.length).toBeGreaterThan(15);
  const found: unknown[] = [];
  for (const [index, record] of records
    .filter(({ key }) => !key.includes(GOOD) && !key.includes('/good/'))
    .entries()) {
    for (const content of fc.sample(contents(record), { numRuns: runs, seed: seed + index })) {
      await stranger.kv.put(record.key, content, { ignoreLease: true });
      for (const [name, read] of Object.entries(readers(stage))) {
        const ending = await call({ read: async () => await read() }, 'read', []);
        const what = complaint(ending);
        if (what !== undefined)
          found.push({
            name,
            what,
            key: record.key,
            content: Buffer.from(content).toString('latin1').slice(0, 200),
          });
      }
      expect((await config.get(GOOD)).value).toEqual({ a: 1 });
      expect(await registry.discover('good', { consistency: 'linearizable' })).toHaveLength(1);
    }
    await stranger.kv.put(record.key, record.value, { ignoreLease: true });
  }
  expect(found).toEqual([]);
  // All that follows has gone on, and comes to what is written now.
  await stranger.kv.delete({ prefix: '/coord/config/' });
  await config.set(KEY, { a: 77 }, { force: true });
  await eventually(() => expect(manager.current).toEqual({ a: 77 }), { timeoutMs: 30_000 });
  await registry.register({ name: 'victim', id: 'last', address: '10.0.0.9:80' });
  for await (const list of instances) if (list.some(({ id }) => id === 'last')) break;
  for await (const { key, value } of all) if (key === KEY && isDeepStrictEqual(value, { a: 77 })) break;
  await manager.stop();
  expect(complaints).toEqual([]);
}, 180_000);
