import { AbortedError, type CoordClient, connect, type KV } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocks, type DistributedLock, type Lock } from '../src/index.js';
import { type Kind, keysOf, kinds } from './kinds.js';
import { type Party, uniqueName } from './support.js';

let etcd: EtcdServer;
let own: Party;
let other: Party;

beforeAll(async () => {
  etcd = await startEtcd();
  [own, other] = await Promise.all([open(), open()]);
});
afterAll(async () => {
  await Promise.all([own.client.close(), other.client.close()]);
  await etcd.stop();
});

async function open(): Promise<Party> {
  const client = await connect(etcd.connectOptions);
  return { client, locks: createLocks(client, SHORT) };
}

const PATIENTLY = { timeoutMs: 20_000 };

/** As short as etcd has it: what is left behind on a lease keeps the lease, and that is looked for. */
const SHORT = { defaultTtlMs: 1_000 };
const mutex: Kind = {
  what: 'a mutex',
  acquire: (locks, name, options) => locks.acquire(name, options),
  tryAcquire: (locks, name, options) => locks.tryAcquire(name, options),
  block: (locks, name) => locks.acquire(name),
  folders: (name) => [`/locks/${name}/`],
  keys: 1,
};

/** An operation that is aborted so many microtasks after so many answers of etcd to what it does. */
interface Moment {
  readonly answers: number;
  readonly ticks: number;
}

/** An answer of etcd has gone through all that awaits it after so many microtasks; nothing more happens until the next one. */
const TICKS = 16;

/** One operation under a name of its own. Others of it run at the same time. */
type Operation = (locks: DistributedLock, signal: AbortSignal, name: string) => Promise<void>;

/** Runs an operation as often as it has moments, and aborts it at each. @returns how many it has */
async function atEveryMoment(operation: Operation): Promise<number> {
  for (let answers = 0; ; answers++) {
    const moments = Array.from({ length: TICKS }, (_, ticks) => abortAt(operation, { answers, ticks }));
    // Otherwise it does not have so many answers.
    if (!(await Promise.all(moments)).includes(true)) return answers * TICKS;
  }
}

/** @returns whether it had not ended by then */
async function abortAt(operation: Operation, moment: Moment): Promise<boolean> {
  const abort = new AbortController();
  let ended = false;
  const hooked = hook(own.client, moment, () => {
    if (!ended) abort.abort();
  });
  const locks = createLocks(hooked, SHORT);
  await operation(locks, abort.signal, uniqueName()).finally(() => {
    ended = true;
  });
  await locks.close();
  return abort.signal.aborted;
}

/** The client, which calls back at the moment. */
function hook(client: CoordClient, { answers, ticks }: Moment, atMoment: () => void): CoordClient {
  let answered = 0;
  const note = async () => {
    if (answered++ !== answers) return;
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    atMoment();
  };
  void note(); // at first, before any answer
  const noted =
    <Call extends unknown[], Answer>(call: (...args: Call) => Promise<Answer>) =>
    async (...args: Call): Promise<Answer> => {
      const answer = await call(...args);
      void note();
      return answer;
    };
  const { kv } = client;
  const hookedKv: KV = Object.assign(Object.create(kv), {
    get: noted((...call: Parameters<KV['get']>) => kv.get(...call)),
    range: noted((...call: Parameters<KV['range']>) => kv.range(...call)),
    txn: noted((...call: Parameters<KV['txn']>) => kv.txn(...call)),
    put: noted((...call: Parameters<KV['put']>) => kv.put(...call)),
  });
  return new Proxy(client, {
    get: (target, property) => {
      if (property === 'kv') return hookedKv;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const orAborted = (error: unknown) => expect(error).toBeInstanceOf(AbortedError);
const thenReleased = (acquired: Promise<Lock>) => acquired.then((lock) => lock.release(), orAborted);

describe('aborted after any answer of etcd, at any await, leaves no key behind', () => {
  it.each([mutex, ...kinds])('$what', { timeout: 60_000 }, async (kind) => {
    const { acquire, tryAcquire } = kind;
    const free = atEveryMoment((locks, signal, name) => thenReleased(acquire(locks, name, { signal })));
    expect(await free).toBeGreaterThan(TICKS);
    await atEveryMoment(async (locks, signal, name) => {
      // It waits behind another one, who leaves.
      const blocker = await kind.block(other.locks, name);
      const count = async () => (await keysOf(other.client, kind, name)).length;
      const before = await count();
      const acquired = thenReleased(acquire(locks, name, { signal }));
      const joined = eventually(async () => expect(await count()).toBeGreaterThan(before));
      await Promise.race([acquired, joined.catch(() => undefined)]);
      await Promise.all([blocker.release(), acquired]);
    });
    if (tryAcquire !== undefined) {
      await atEveryMoment((locks, signal, name) => thenReleased(tryAcquire(locks, name, { signal })));
    }
    await eventually(async () => expect(await keys()).toEqual([]), PATIENTLY);
  });

  it('a lock that moves to another TTL, and is released', { timeout: 60_000 }, async () => {
    await atEveryMoment(async (locks, signal, name) => {
      const lock = await locks.acquire(name);
      await lock.renew(2_500, { signal }).catch(orAborted);
      await lock.release({ signal }).catch(orAborted);
    });
  });

  it('a reader that becomes a writer, and a writer that becomes a reader', { timeout: 60_000 }, async () => {
    await atEveryMoment(async (locks, signal, name) => {
      const reader = await locks.acquireReadLock(name);
      // Given up, the read lock stays.
      const lock = await reader.tryUpgrade({ signal }).catch((error: unknown) => {
        orAborted(error);
        return reader;
      });
      await lock.release();
    });
    await atEveryMoment(async (locks, signal, name) => {
      const writer = await locks.acquireWriteLock(name);
      // Given up on its way, the lock is given up; before, it stays.
      const lock = await writer.downgrade({ signal }).catch((error: unknown) => {
        orAborted(error);
        return writer;
      });
      await lock[Symbol.asyncDispose]();
    });
  });

  // Nobody uses the sessions any more, so they are closed; a reference that was left would keep one open.
  it('nor any key of another kind, nor any session', async () => {
    await other.locks.close();
    await eventually(async () => expect([await keys(), await leases()]).toEqual([[], 0]), PATIENTLY);
    expect(own.client.health.state).toBe('ready');
  });
});

/** All that is in etcd, but for the numbers of permits, which stay. */
async function keys(): Promise<string[]> {
  const { kvs } = await other.client.kv.range({ prefix: '' }, { keysOnly: true });
  return kvs.map(({ key }) => key).filter((key) => !key.endsWith('/limit'));
}

async function leases(): Promise<number> {
  const listed: unknown = JSON.parse(await etcd.etcdctl(['lease', 'list', '-w', 'json']));
  const all = typeof listed === 'object' && listed !== null && 'leases' in listed ? listed.leases : [];
  return Array.isArray(all) ? all.length : 0;
}
