import { ValidationError } from '@coord/client';
import { BYTE_NAMES, CONTENTS, NAMES } from '@coord/hostile-values';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStage, type Stage } from '../src/fuzz/stage.js';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.[Symbol.asyncDispose]());

/** What the names that are accepted give; the others must be refused as bad input. */
async function accepted<N, T>(names: readonly N[], use: (name: N) => Promise<T>): Promise<Map<N, T>> {
  const results = new Map<N, T>();
  for (const name of names) {
    try {
      results.set(name, await use(name));
    } catch (error) {
      expect(error).toBeInstanceOf(ValidationError);
    }
  }
  return results;
}

it('two names of locks are two locks, of every kind', async () => {
  const { locks } = stage;
  const kinds = {
    mutex: (name: string) => locks.tryAcquire(name),
    write: (name: string) => locks.tryAcquireWriteLock(name),
    permit: (name: string) => locks.semaphore(name, { permits: 1 }).tryAcquire(),
  };
  for (const take of Object.values(kinds)) {
    const held = await accepted(NAMES, take); // a conflict would not be bad input
    expect(held.size).toBeGreaterThan(30);
    for (const [name, lock] of held) expect(lock.key).toBe(name);
    for (const lock of held.values()) await lock.release();
  }
});

it('two names of instances are two instances, and are found as they were registered', async () => {
  const { registry } = stage;
  const address = '10.0.0.1:80';
  const metadata = (name: string) => ({ [name === '' ? 'empty' : name]: name });
  const services = await accepted(NAMES, (name) =>
    registry.register({ name, id: 'i', address, metadata: metadata(name), tags: [name] }),
  );
  const instances = await accepted(NAMES, (id) => registry.register({ name: 'of-all', id, address }));
  expect(services.size).toBeGreaterThan(25);
  for (const name of services.keys()) {
    const found = await registry.discover(name, { consistency: 'linearizable' });
    expect(found).toMatchObject([{ name, id: 'i', metadata: metadata(name), tags: [name] }]);
  }
  const ids = (await registry.discover('of-all', { consistency: 'linearizable' })).map(({ id }) => id);
  expect(ids.sort()).toEqual([...instances.keys()].sort());
  expect(await registry.listServices()).toEqual(['of-all', ...services.keys()].sort());
});

it('two keys of the configuration are two values, which come back as they were', async () => {
  const { config } = stage;
  // A slash in front is left out: the page on configuration says so.
  const keys = NAMES.filter((name) => !name.startsWith('/'));
  const written = await accepted(keys, async (key) => {
    await config.set(key, { key }, { metadata: { key } });
    return key;
  });
  expect(written.size).toBeGreaterThan(25);
  for (const key of written.keys()) {
    expect(await config.get(key)).toMatchObject({ key, value: { key }, metadata: { key }, version: 1 });
  }
  const { keys: listed } = await config.list('', { limit: 1_000 });
  expect([...listed].sort()).toEqual([...written.keys()].sort());
});

it('contents come back as they were, or are refused', async () => {
  const { config } = stage;
  const entries = Object.entries(CONTENTS);
  const stored = await accepted(entries, async ([, content]) => {
    const key = stage.name();
    await config.set(key, content);
    return key;
  });
  expect(stored.size).toBeGreaterThan(15);
  for (const [[name, content], key] of stored) {
    const { value } = await config.get(key);
    // JSON has one kind of whole numbers: what a number can hold comes back as one.
    expect(value, name).toEqual(name === 'a bigint in an object' ? { a: 10 } : content);
  }
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

it('two keys of etcd are two keys, text or bytes', async () => {
  const { kv } = stage.client;
  const texts = new Set(NAMES.map((name) => Buffer.from(name).toString('hex')));
  const bytes = BYTE_NAMES.filter((name) => !texts.has(Buffer.from(name).toString('hex')));
  const keys = [...NAMES, ...bytes];
  const written = await accepted(keys, (key) => kv.put(key, JSON.stringify(keys.indexOf(key))));
  expect(written.size).toBeGreaterThan(45);
  for (const key of written.keys()) {
    const found = await kv.get(key);
    expect(Buffer.from(found?.rawKey ?? [])).toEqual(Buffer.from(key));
    expect(found?.json()).toBe(keys.indexOf(key));
  }
});
