import { ConnectionError, type CoordClient, connect, type KV } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../src/index.js';

let etcd: EtcdServer;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let owner: CoordClient;
/** The owner's watches are its. */
let behindProxy: CoordClient;
let other: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  proxy = await startProxy({ target: etcd.target });
  owner = await connect(etcd.connectOptions);
  other = await connect(etcd.connectOptions);
  behindProxy = await connect({ endpoints: [proxy.endpoint] });
});

afterAll(async () => {
  await Promise.all([owner?.close(), other?.close(), behindProxy?.close({ timeoutMs: 1_000 })]);
  await proxy?.close();
  await etcd?.stop();
});

interface Hooks {
  /** Before the key is created: whether the answer shall be lost. */
  creates(): boolean;
  /** Before a write of what is there already. */
  changes?(): Promise<void>;
  /** After a read of the key. */
  read?(present: boolean): void;
}

/** The owner's client, whose watches alone are behind the proxy. */
function hooked(client: CoordClient, watching: CoordClient, hooks: Hooks): CoordClient {
  const { kv } = client;
  const hookedKv: KV = {
    get: (...args) => kv.get(...args),
    range: async (...args) => {
      const result = await kv.range(...args);
      hooks.read?.(result.kvs.length > 0);
      return result;
    },
    list: (...args) => kv.list(...args),
    put: (...args) => kv.put(...args),
    delete: (...args) => kv.delete(...args),
    txn: async (request, options) => {
      const [compare] = request.compare ?? [];
      const creates = compare?.target === 'mod' && compare.to === 0n;
      const isLost = creates && hooks.creates();
      if (!creates) await hooks.changes?.();
      const result = await kv.txn(request, options);
      if (isLost) throw new ConnectionError('lost', { outcome: 'unknown' });
      return result;
    },
  };
  return new Proxy(client, {
    get: (target, name) => {
      if (name === 'kv') return hookedKv;
      const from = name === 'watch' ? watching : target;
      const value: unknown = Reflect.get(from, name, from);
      return typeof value === 'function' ? value.bind(from) : value;
    },
  });
}

/** Like a process that is stopped, and goes on later. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

async function register(name: string, hooks: Hooks) {
  const registry = createRegistry(hooked(owner, behindProxy, hooks), { ttlMs: 60_000 });
  const registration = await registry.register({ name, id: 'a', address: '10.0.0.1:1' });
  const key = `/services/${name}/a`;
  const { kvs, revision } = await other.kv.range(key);
  await other.etcd3.leaseClient.leaseRevoke({ ID: String(kvs[0]?.leaseId) });

  /** What happens to the key until its owner, whose watches go on, knows that it has been deregistered. */
  async function eventsUntilGone(): Promise<string[]> {
    for (let i = 0; i < 20; i++) await owner.kv.get(key); // what it writes without the news is written by then
    await proxy.heal();
    await eventually(() => expect(registration.state).toBe('deregistered'), { timeoutMs: 20_000 });
    await registry.close();
    const types: string[] = [];
    const marker = `${key}-end`;
    await other.kv.put(marker, '');
    for await (const { events } of other.watch({ prefix: key }, { startRevision: revision + 1n })) {
      for (const event of events) types.push(event.key === marker ? 'end' : event.type);
      if (types.includes('end')) break;
    }
    return types;
  }
  return { eventsUntilGone };
}

/** The lease is lost; it is back, though the answer is lost; the goodbye and the delete; and nothing else. */
const EVENTS = ['delete', 'put', 'put', 'delete', 'end'];

describe('an owner that is deregistered by others while its watch hears nothing', () => {
  it('does not come back without the news when it stood still meanwhile', async () => {
    let creations = 0;
    let isBack = false;
    const { eventsUntilGone } = await register('still', {
      creates: () => {
        creations += 1;
        if (creations === 2) proxy.blackhole();
        return creations === 2;
      },
      read: (present) => {
        isBack ||= creations === 2 && present;
      },
    });
    await eventually(() => expect(isBack).toBe(true), { timeoutMs: 20_000 });
    await createRegistry(other).deregister('still', 'a');
    standStill(5_100);
    expect(await eventsUntilGone()).toEqual(EVENTS);
  });

  it('does not come back without the news when it was about to write what was there', async () => {
    let creations = 0;
    let isGone = false;
    const { eventsUntilGone } = await register('about', {
      creates: () => {
        creations += 1;
        return creations === 2;
      },
      changes: async () => {
        if (creations !== 2 || isGone) return;
        proxy.blackhole();
        await createRegistry(other).deregister('about', 'a');
        isGone = true;
      },
    });
    await eventually(() => expect(isGone).toBe(true), { timeoutMs: 20_000 });
    expect(await eventsUntilGone()).toEqual(EVENTS);
  });
});
