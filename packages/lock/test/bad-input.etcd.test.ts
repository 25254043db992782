import { ValidationError } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLocks } from '../src/index.js';
import { type Party, party, rejection } from './support.js';

let etcd: EtcdServer;
let own: Party;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

const NAMES = [
  '',
  '.',
  '..',
  '@',
  '\0',
  'a\0b',
  '\ud800',
  'x'.repeat(513),
  null,
  undefined,
  1,
  {},
  [],
  Symbol('a'),
];
const NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 2 ** 53 + 1, '10', null, {}, 1n];
const WITH_NAME = [
  'acquire',
  'tryAcquire',
  'acquireReentrant',
  'acquireReadLock',
  'acquireWriteLock',
  'tryAcquireReadLock',
  'tryAcquireWriteLock',
] as const;

const revision = async () => (await own.client.kv.range('/none')).revision;
const call = (method: string, ...args: unknown[]): Promise<unknown> =>
  Reflect.apply(Reflect.get(own.locks, method), own.locks, args);
const named = (value: unknown) => (typeof value === 'symbol' ? 'a symbol' : JSON.stringify(String(value)));

it('is refused by every kind of lock, writes nothing, and harms nobody', { timeout: 120_000 }, async () => {
  own = await party(etcd.connectOptions);
  const before = await revision();
  for (const method of WITH_NAME) {
    for (const name of NAMES) {
      expect(await rejection(call(method, name)), `${method}(${named(name)})`).toBeInstanceOf(
        ValidationError,
      );
    }
    const options: unknown[] = [
      ...NUMBERS.flatMap((value) => [{ ttlMs: value }, { timeoutMs: value }]),
      { ttlMs: 1e12 },
      { signal: {} },
      { purpose: 1 },
      { purpose: 'x'.repeat(513) },
      { allowNested: 1 },
      { timeout: 1_000 }, // in the place of timeoutMs
      { owners: 'a' },
      null,
      1,
      [],
    ];
    for (const each of options) {
      const what = `${method} with ${typeof each === 'object' && each !== null ? Object.entries(each).map(([key, value]) => `${key} ${String(value)}`) : each}`;
      expect(await rejection(call(method, 'a', each)), what).toBeInstanceOf(ValidationError);
    }
  }
  for (const method of ['acquireAll', 'tryAcquireAll']) {
    const lists = [
      [],
      null,
      'a',
      {},
      ...NAMES.map((name) => ['a', name]),
      Array.from({ length: 101 }, (_, i) => `n${i}`),
    ];
    for (const list of lists)
      expect(await rejection(call(method, list)), method).toBeInstanceOf(ValidationError);
  }
  for (const name of NAMES) {
    expect(() => Reflect.apply(own.locks.semaphore, own.locks, [name, { permits: 1 }])).toThrow(
      ValidationError,
    );
  }
  for (const permits of [...NUMBERS, 1.5, 2 ** 31]) {
    expect(() => Reflect.apply(own.locks.semaphore, own.locks, ['s', { permits }])).toThrow(ValidationError);
  }
  const semaphore = own.locks.semaphore('s', { permits: 5 });
  for (const weight of [...NUMBERS, 1.5, 6]) {
    for (const method of [semaphore.acquire, semaphore.tryAcquire]) {
      const refused = await rejection(Reflect.apply(method, semaphore, [weight]));
      expect(refused, `weight ${named(weight)}`).toBeInstanceOf(ValidationError);
    }
  }
  for (const fn of [undefined, null, 1, {}]) {
    expect(await rejection(call('withLock', 'a', fn))).toBeInstanceOf(ValidationError);
  }
  for (const options of [
    { keyPrefix: 'locks' },
    { keyPrefix: '/' },
    { keyPrefix: '/a/../b' },
    { keyPrefix: '/\ud800' },
    { defaultTtlMs: 0 },
    { renewIntervalMs: 20_000 },
    { rawNames: 'yes' },
    null,
    1,
  ]) {
    expect(() => Reflect.apply(createLocks, undefined, [own.client, options])).toThrow(ValidationError);
  }
  expect(await revision()).toBe(before);

  const lock = await own.locks.acquire('a');
  for (const ttlMs of NUMBERS) {
    expect(await rejection(Reflect.apply(lock.renew, lock, [ttlMs])), named(ttlMs)).toBeInstanceOf(
      ValidationError,
    );
  }
  for (const options of [null, 1, [], { timeoutMs: 0 }, { signal: 1 }]) {
    expect(await rejection(Reflect.apply(lock.release, lock, [options]))).toBeInstanceOf(ValidationError);
  }
  lock.assertHeld();
  await lock.release();
});

it('leaves unusual names alone: they are names', async () => {
  own = await party(etcd.connectOptions);
  const names = [
    'a//b',
    '/',
    'a/',
    '%2e%2e',
    '%2F',
    'a%2Fb',
    'a/b',
    '\n\r\x1b[31m',
    'e\u0301',
    '\u00e9',
    '\u202e',
    'x'.repeat(512),
  ];
  const held = await Promise.all(names.map((name) => own.locks.tryAcquire(name)));
  expect(new Set(held.map(({ etcdKey }) => etcdKey.slice(0, etcdKey.lastIndexOf('/')))).size).toBe(
    names.length,
  );
  const listed = await own.locks.list();
  expect(listed.map(({ name }) => name).sort()).toEqual([...names].sort());
  await Promise.all(held.map((lock) => lock.release()));
  expect(await own.locks.list()).toEqual([]);
});
