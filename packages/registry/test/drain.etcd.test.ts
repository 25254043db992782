import { AbortedError, type CoordClient, connect, TimeoutError, ValidationError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry, type Registration, type ServiceRegistry } from '../src/index.js';

/** Longer than any test: only something else than its end can end it. */
const ENDLESS_MS = 3_600_000;
const PATIENT = { timeoutMs: 20_000 };
let etcd: EtcdServer;
let client: CoordClient;
let other: CoordClient;
let registry: ServiceRegistry;
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  other = await connect(etcd.connectOptions);
});

const open: CoordClient[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(async () => {
  await other?.close();
  await etcd?.stop();
});

async function register(id = 'a'): Promise<{ registration: Registration; name: string; key: string }> {
  client = await connect(etcd.connectOptions);
  open.push(client);
  registry = createRegistry(client);
  const name = `drained-${++names}`;
  const registration = await registry.register({ name, id, address: '10.0.0.1', port: 8080 });
  return { registration, name, key: `/services/${name}/${id}` };
}

async function storedAt(key: string): Promise<object> {
  return Object((await other.kv.get(key))?.json());
}

/** Resolves when etcd has the goodbye. */
async function goodbyeOf(key: string): Promise<void> {
  await eventually(async () => expect(await storedAt(key)).toMatchObject({ leaving: true }), PATIENT);
}

/** Tells whether it has settled; looked at after other calls have been answered. */
function followed(promise: Promise<unknown>): { readonly settled: boolean } {
  const status = { settled: false };
  const settle = () => {
    status.settled = true;
  };
  promise.then(settle, settle);
  return status;
}

describe('drain', () => {
  it('takes the instance out of every list while its key and lease are still there', async () => {
    const { registration, name, key } = await register();
    const lease = (await other.kv.get(key))?.leaseId;
    const observer = createRegistry(other);
    expect(await observer.discover(name)).toHaveLength(1);
    const drained = registration.drain({ waitMs: ENDLESS_MS });
    const status = followed(drained);
    await goodbyeOf(key);
    await eventually(
      async () => expect(await observer.discover(name, { health: 'any' })).toEqual([]),
      PATIENT,
    );
    expect(await storedAt(key)).toMatchObject({ leaving: true, health: 'maintenance', port: 8080 });
    expect((await other.kv.get(key))?.leaseId).toBe(lease);
    expect(registration.state).toBe('leaving');
    expect(registration.service.health).toBe('maintenance');
    expect(status.settled).toBe(false);
    await registration.deregister();
    await drained;
    expect(await other.kv.get(key)).toBeUndefined();
    await observer.close();
  });

  it.each([
    [400, { waitMs: 400 }],
    [1_000, {}],
  ])('waits at least %i ms with %j, then deletes', async (leastMs, options) => {
    const { registration, key } = await register();
    const startedAt = performance.now();
    await registration.drain(options);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(leastMs - 1);
    expect(registration.state).toBe('deregistered');
    expect(await other.kv.get(key)).toBeUndefined();
  });

  it('keeps the lease for as long as it waits', async () => {
    client = await connect(etcd.connectOptions);
    open.push(client);
    const ttlMs = 2_000;
    const own = createRegistry(client, { ttlMs });
    const registration = await own.register({ name: 'leased', id: 'a', address: '10.0.0.1:1' });
    registration.drain({ waitMs: ENDLESS_MS }).catch(() => undefined);
    await goodbyeOf('/services/leased/a');
    // A lease that nobody keeps, of the same length, is the clock.
    const clock = await other.session({ ttlMs });
    await other.kv.put('/clock', '', { session: clock });
    clock.orphan();
    await eventually(async () => expect(await other.kv.get('/clock')).toBeUndefined(), PATIENT);
    expect(await storedAt('/services/leased/a')).toMatchObject({ leaving: true });
    await registration.deregister();
  });

  it('may be asked for any number of times, before and after', async () => {
    const { registration } = await register();
    const states: string[] = [];
    registration.subscribe((state) => states.push(state));
    await Promise.all([
      registration.drain({ waitMs: 50 }),
      registration.drain({ waitMs: ENDLESS_MS }), // the first one counts
      registry.drain({ waitMs: ENDLESS_MS }),
    ]);
    await registration.drain({ waitMs: ENDLESS_MS });
    await registration.deregister();
    await registry.drain();
    expect(states).toEqual(['leaving', 'deregistered']);
  });

  it('is the one that was asked for first, also when the news of it makes somebody ask again', async () => {
    const { registration, key } = await register();
    const again: { readonly settled: boolean }[] = [];
    registration.subscribe((state) => {
      if (state === 'leaving') again.push(followed(registration.drain({ waitMs: 0 })));
    });
    const drained = registration.drain({ waitMs: ENDLESS_MS });
    await goodbyeOf(key);
    for (let call = 0; call < 20; call++) expect(await storedAt(key)).toMatchObject({ leaving: true });
    expect(again).toMatchObject([{ settled: false }]);
    await registration.deregister();
    await drained;
    expect(again).toMatchObject([{ settled: true }]);
  });

  it('waits for a deregistration that is under way', async () => {
    const { registration, key } = await register();
    const removed = registration.deregister();
    await registration.drain({ waitMs: ENDLESS_MS });
    expect(await other.kv.get(key)).toBeUndefined();
    await removed;
  });

  it('is given its time by close, but not beyond the deadline of close', async () => {
    const { registration, key } = await register();
    const startedAt = performance.now();
    const drained = registration.drain({ waitMs: 400 });
    await registry.close();
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(399);
    await drained;
    expect(await other.kv.get(key)).toBeUndefined();

    const second = await register();
    const endless = second.registration.drain({ waitMs: ENDLESS_MS });
    await goodbyeOf(second.key);
    await registry.close({ timeoutMs: 100 });
    await endless; // its wait is over, and would keep the process alive
    expect(await other.kv.get(second.key)).toBeUndefined();
  });

  it.each(['abort', 'timeout'])('goes on in the background after an %s', async (how) => {
    const { registration, key } = await register();
    const controller = new AbortController();
    const drained =
      how === 'abort'
        ? registration.drain({ waitMs: 200, signal: controller.signal })
        : registration.drain({ waitMs: 200, timeoutMs: 1 });
    const failed = expect(drained).rejects.toBeInstanceOf(how === 'abort' ? AbortedError : TimeoutError);
    controller.abort();
    await failed;
    expect(registration.state).toBe('leaving');
    await eventually(() => expect(registration.state).toBe('deregistered'), PATIENT);
    expect(await other.kv.get(key)).toBeUndefined();
  });

  it('does nothing at all when its signal has fired before', async () => {
    const { registration, key } = await register();
    const signal = AbortSignal.abort();
    await expect(registration.drain({ signal })).rejects.toBeInstanceOf(AbortedError);
    await expect(registry.drain({ signal })).rejects.toBeInstanceOf(AbortedError);
    expect(registration.state).toBe('registered');
    expect(await storedAt(key)).toMatchObject({ health: 'healthy' });
  });

  it.each([{ waitMs: -1 }, { waitMs: Number.NaN }, { waitMs: '1' }, { timeoutMs: 0 }, null, 5])(
    'refuses %j before it does anything',
    async (options) => {
      const { registration } = await register();
      for (const each of [registration, registry]) {
        await expect(Reflect.apply(each.drain, each, [options])).rejects.toBeInstanceOf(ValidationError);
      }
      expect(registration.state).toBe('registered');
    },
  );

  it('of a registry takes all of its registrations out, also one that is under way', async () => {
    const { name } = await register();
    const underWay = registry.register({ name, id: 'b', address: '10.0.0.1:1' });
    const ended = expect(underWay).rejects.toThrow(/deregistered/);
    await registry.drain({ waitMs: 0 });
    await ended;
    expect((await other.kv.range({ prefix: `/services/${name}/` })).kvs).toEqual([]);
    const again = await registry.register({ name, id: 'a', address: '10.0.0.1:1' });
    expect(again.state).toBe('registered');
  });
});

describe('a drain that something happens to', () => {
  it('survives the loss of the lease, and brings nothing back', async () => {
    const { registration, key, name } = await register();
    const sibling = await registry.register({ name, id: 'sibling', address: '10.0.0.1:1' });
    const states: string[] = [];
    sibling.subscribe((state) => states.push(state));
    const drained = registration.drain({ waitMs: ENDLESS_MS });
    await goodbyeOf(key);
    const { leaseId } = (await other.kv.get(key)) ?? {};
    await other.etcd3.leaseClient.leaseRevoke({ ID: String(leaseId) });
    await eventually(() => expect(states).toEqual(['recovering', 'registered']), PATIENT); // in its turn, too
    expect(registration.state).toBe('leaving');
    await registration.deregister();
    await drained;
    expect(registration.state).toBe('deregistered');
    const { kvs } = await other.kv.range({ prefix: `/services/${name}/` });
    expect(kvs.map((kv) => kv.key)).toEqual([`/services/${name}/sibling`]);
  });

  it('leaves a successor alone that has taken over meanwhile', async () => {
    const { registration, key, name } = await register();
    const drained = registration.drain({ waitMs: ENDLESS_MS });
    await goodbyeOf(key);
    const successors = createRegistry(other);
    const successor = await successors.register({ name, id: 'a', address: '10.0.0.2:1' });
    await registration.deregister();
    await drained;
    expect(registration.state).toBe('superseded');
    expect(await storedAt(key)).toMatchObject({ address: '10.0.0.2', health: 'healthy' });
    expect(await storedAt(key)).not.toHaveProperty('leaving');
    await successor.deregister();
  });

  it('gives others its time to hear of it when the lease has run out, too', async () => {
    const { registration, key } = await register();
    const { leaseId } = (await other.kv.get(key)) ?? {};
    const recovering = new Promise<void>((resolve) => {
      registration.subscribe((state) => state === 'recovering' && resolve());
    });
    await other.etcd3.leaseClient.leaseRevoke({ ID: String(leaseId) });
    await recovering;
    const startedAt = performance.now();
    await registration.drain({ waitMs: 1_000, timeoutMs: 20_000 });
    expect(performance.now() - startedAt).toBeGreaterThan(990);
    expect(registration.state).toBe('deregistered');
    expect(await other.kv.get(key)).toBeUndefined();
  });

  it('is over when the client is closed', async () => {
    const { registration, key } = await register();
    const drained = registration.drain({ waitMs: 300 });
    await goodbyeOf(key);
    await client.close();
    await drained;
    expect(registration.state).toBe('deregistered');
    await eventually(async () => expect(await other.kv.get(key)).toBeUndefined(), PATIENT);
  });

  it('goes through when etcd was away', async () => {
    const { registration, key } = await register();
    await etcd.pause();
    const late = registration.drain({ waitMs: 0, timeoutMs: 300 });
    await expect(late).rejects.toMatchObject({ outcome: 'unknown' });
    await etcd.resume();
    await eventually(() => expect(registration.state).toBe('deregistered'), PATIENT);
    expect(await other.kv.get(key)).toBeUndefined();
  });
});
