import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ClientOptions, type CoordClient, connect } from '@coord/client';
import { raceAbort } from '@coord/client/internal';
import { eventually } from '@coord/testkit';
import { afterEach, expect } from 'vitest';
import { createLocks, type DistributedLock, type DistributedLockConfig } from '../src/index.js';

export interface Party {
  readonly client: CoordClient;
  readonly locks: DistributedLock;
}

const parties: Party[] = [];

afterEach(async () => {
  const ending = parties.splice(0);
  await Promise.all(
    ending.map(async ({ client, locks }) => {
      await locks.close({ timeoutMs: 2_000 });
      await client.close({ timeoutMs: 2_000 });
    }),
  );
});

/** A client and its locks, both closed after the test. */
export async function party(options: ClientOptions, config?: DistributedLockConfig): Promise<Party> {
  const client = await connect({ requestTimeoutMs: 3_000, ...options });
  const made = { client, locks: createLocks(client, { defaultTtlMs: 10_000, ...config }) };
  parties.push(made);
  return made;
}

let names = 0;

/** A name that no other test uses. */
export function uniqueName(): string {
  names += 1;
  return `test-${process.pid}-${names}`;
}

export async function queueKeys(client: CoordClient, name: string, prefix = '/locks'): Promise<string[]> {
  const escaped = name.replaceAll('%', '%25').replaceAll('/', '%2F');
  const sort = { by: 'create', order: 'ascend' } as const;
  const { kvs } = await client.kv.range({ prefix: `${prefix}/${escaped}/` }, { sort });
  return kvs.map((kv) => kv.key);
}

/** Waits until the queue of the lock has this many keys. */
export async function queueLength(client: CoordClient, name: string, length: number): Promise<void> {
  await eventually(async () => expect(await queueKeys(client, name)).toHaveLength(length), {
    timeoutMs: 10_000,
  });
}

/** The promise's rejection; fails when it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

/**
 * Whether the promise is settled once every client of the test has been told of all that has happened so
 * far, and has had the time to look at it.
 */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  promise.then(note, note);
  await Promise.all(parties.map(({ client }) => untilUpToDate(client).catch(() => undefined)));
  return settled;
}

/** Nothing reaches a client that is cut off: half a second of waiting for it is enough. */
const OUT_OF_REACH_MS = 500;

/** An event comes after all events before it, and an answer after those to the calls that they led to. */
async function untilUpToDate(client: CoordClient): Promise<void> {
  const key = `/told/${uniqueName()}`;
  const signal = AbortSignal.timeout(OUT_OF_REACH_MS);
  await using watch = client.watch(key, { signal });
  const told = watch[Symbol.asyncIterator]().next();
  told.catch(() => undefined);
  await raceAbort(watch.ready, signal);
  await client.kv.put(key, '', { signal });
  await told;
  for (let answer = 0; answer < 2; answer++) await client.kv.get(key, { signal });
  await nextTurn();
}

/**
 * Lets a moment of an operation pass. The first half of the steps are microtasks, one more each; the others are turns of
 * the event loop, ever more of them, so that answers of etcd come in between.
 */
export async function moment(step: number, steps: number): Promise<void> {
  const half = steps / 2;
  for (let tick = 0; tick < Math.min(step, half); tick++) await Promise.resolve();
  for (let turn = 0; turn < Math.max(0, step - half) ** 2; turn++) await nextTurn();
}

/** Resolves when the signal aborts, with its reason. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });
}

/** One of etcd's own counts, such as of its watchers: https://etcd.io/docs/v3.5/metrics/ */
export async function metric(endpoint: string, name: string): Promise<number> {
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`etcd at ${endpoint} has no metric ${name}`);
  return Number(value);
}
